"""Ends that nothing interrupts."""

import asyncio
import threading

import pytest

from cd4sources.undisturbed import in_thread, undisturbed


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


async def test_an_error_of_what_was_cancelled_is_not_lost() -> None:
    """It is the cancellation's cause."""
    gate = asyncio.Event()

    async def failing() -> None:
        await gate.wait()
        raise OSError("full")

    task = asyncio.create_task(undisturbed(failing()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError) as raised:
        await task
    assert isinstance(raised.value.__cause__, OSError)
    assert task.cancelled()


async def test_no_thread_is_left_at_work() -> None:
    """However its caller was cancelled."""
    gate, steps = threading.Event(), []

    def work() -> None:
        assert gate.wait(10)
        steps.append("done")

    task = asyncio.create_task(in_thread(work))
    await asyncio.sleep(0.01)
    task.cancel()
    asyncio.get_running_loop().call_later(0.05, gate.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["done"]
