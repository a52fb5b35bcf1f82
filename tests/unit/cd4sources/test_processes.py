"""Ends that nothing interrupts."""

import asyncio

import pytest

from cd4sources.running.processes import undisturbed


async def test_what_must_end_does_however_often_it_is_cancelled() -> None:
    """And only then the cancellation goes on."""
    steps: list[str] = []
    gate = asyncio.Event()

    async def ending() -> None:
        steps.append("begun")
        await gate.wait()
        steps.append("ended")

    task = asyncio.create_task(undisturbed(ending()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert (steps, task.done()) == (["begun"], False)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["begun", "ended"]
