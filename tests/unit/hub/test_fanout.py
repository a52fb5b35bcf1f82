"""Followers: who is offered what, and what happens to the slow and the gone."""

import asyncio

from hub.fanout import QUEUE_LIMIT, Follower
from hub.log.base import Cursor, Event
from hub.subscriptions import make_want

SHOP = frozenset({"github.com/acme/shop"})


def event(position: int, ref: str = "refs/heads/main") -> Event:
    """An event of the shop."""
    return Event(Cursor(1, position, 0), SHOP, ref, b"{}")


async def test_events_that_came_before_the_wait_are_returned_at_once() -> None:
    """Nothing is lost between two waits."""
    follower = Follower(())
    follower.offer(event(1))
    follower.offer(event(2))
    assert [e.cursor.position for e in await follower.wait(60)] == [1, 2]
    assert await follower.wait(0) == []


async def test_a_waiting_follower_wakes_with_the_event() -> None:
    """No polling: the offer itself wakes it."""
    follower = Follower((make_want("github.com/acme/shop", "main"),))
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(follower.wait(60))
        await asyncio.sleep(0)
        follower.offer(event(1, "refs/heads/dev"))
        follower.offer(event(2))
    assert [e.cursor.position for e in waiting.result()] == [2]


async def test_a_slow_follower_loses_its_place_and_not_the_memory() -> None:
    """Over the limit the queue is dropped and marked; later events wait for the next round."""
    follower = Follower(())
    for position in range(QUEUE_LIMIT + 5):
        follower.offer(event(position))
    assert follower.overflowed
    assert await follower.wait(60) == []


async def test_closing_ends_a_wait() -> None:
    """A follower whose peer has gone does not sit out its time."""
    follower = Follower(())
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(follower.wait(60))
        await asyncio.sleep(0)
        follower.close()
    assert waiting.result() == []
