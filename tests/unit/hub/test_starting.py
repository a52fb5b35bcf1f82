"""Coroutines that become tasks only when they have to wait."""

import asyncio

import pytest

from hub.api.starting import start


async def test_what_need_not_wait_is_done_at_once() -> None:
    """Without a task."""
    done: list[str] = []

    async def running() -> None:
        done.append("all")

    assert start(running()) is None
    assert done == ["all"]


async def test_what_has_to_wait_goes_on_as_a_task() -> None:
    """Where it was, and through every later wait."""
    gate, steps = asyncio.Event(), list[str]()

    async def running() -> None:
        steps.append("begun")
        await gate.wait()
        await asyncio.sleep(0)
        steps.append("ended")

    task = start(running())
    assert task is not None
    assert steps == ["begun"]
    gate.set()
    await task
    assert steps == ["begun", "ended"]


async def test_a_task_that_is_cancelled_ends_its_coroutine() -> None:
    """What it holds is given back."""
    given_back = asyncio.Event()

    async def running() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            given_back.set()

    task = start(running())
    assert task is not None
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert given_back.is_set()


@pytest.mark.parametrize("waits", [False, True])
async def test_what_fails_is_told(*, waits: bool) -> None:
    """At once or by the task."""

    async def running() -> None:
        if waits:
            await asyncio.sleep(0)
        raise LookupError

    with pytest.raises(LookupError):
        await (start(running()) or asyncio.sleep(0))
