"""Waiting: what ends it, and what an interruption means."""

import asyncio

import pytest

from cd4sources.waiting import SLICE, Waiter, Waiters
from tests.support.waiting import eventually


async def wait(waiters: Waiters, seconds: float = 1000) -> bool:
    """Whether it was the wait alone that ended."""
    waiter = Waiter(seconds, lambda: False)
    waiters.add(waiter)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return waiter.is_ours()
    finally:
        waiters.remove(waiter)
        waiter.close()
    return False


async def test_news_and_time_end_a_wait() -> None:
    """Whichever comes first; the task goes on."""
    waiters = Waiters()
    assert await wait(waiters, 0.01)
    task = asyncio.create_task(wait(waiters))
    await eventually(lambda: len(waiters) == 1)
    waiters.wake()
    assert await task
    assert len(waiters) == 0


async def test_a_cancelled_task_is_not_merely_woken() -> None:
    """Not even when both come at once."""
    waiters = Waiters()
    tasks = [asyncio.create_task(wait(waiters)) for _ in range(2)]
    await eventually(lambda: len(waiters) == 2)
    tasks[0].cancel()
    waiters.wake()
    tasks[1].cancel()
    assert await asyncio.gather(*tasks) == [False, False]


async def test_others_have_a_turn_between_slices() -> None:
    """And who has left meanwhile, or came later, is not woken."""
    waiters = Waiters()
    tasks = [asyncio.create_task(wait(waiters)) for _ in range(3 * SLICE)]
    await eventually(lambda: len(waiters) == len(tasks))
    waiters.wake()
    await asyncio.sleep(0)
    assert 0 < len([one for one in tasks if one.cancelling()]) < len(tasks)
    late = asyncio.create_task(wait(waiters))
    assert all(await asyncio.gather(*tasks))
    assert len(waiters) == 1
    late.cancel()


async def test_who_is_gone_is_left_alone() -> None:
    """Waking comes too late for it."""
    waiter = Waiter(1000, lambda: False)
    waiter.close()
    waiter.end()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
