"""Followers: who is offered what and when, and what happens to the slow and the gone."""

import asyncio
from typing import Any, cast

import pytest

from hub import fanout as fanout_module
from hub.fanout import PENDING_LIMIT, QUEUE_LIMIT, SLICE, Fanout, Follower
from hub.log.base import Listener
from hub.log.values import Cursor, Event, Gap
from hub.wants import Want, make_want

SHOP = frozenset({"github.com/acme/shop"})
MAIN = "refs/heads/main"
EVERYTHING: tuple[Want, ...] = ()


class Log:
    """Tells what the test says has happened."""

    def __init__(self) -> None:
        """Begin empty."""
        self.head = Cursor(1, 0, 0)
        self._tell: Listener

    def listen(self, listener: Listener) -> None:
        """Have one listener."""
        self._tell = listener

    def push(self, *refs: str) -> None:
        """Push to these refs, one after the other."""
        first = self.head.position + 1
        cursors = [Cursor(self.head.epoch, first + n, 0) for n in range(len(refs))]
        self.head = cursors[-1]
        pairs = zip(cursors, refs, strict=True)
        self._tell([Event(cursor, SHOP, ref, b"{}") for cursor, ref in pairs])

    def jump(self) -> None:
        """Become another log."""
        self.head = Cursor(self.head.epoch + 1, 7, 0)
        self._tell(Gap("it is another log"))


@pytest.fixture
def log() -> Log:
    """A log of nothing yet."""
    return Log()


@pytest.fixture
def fanout(log: Log) -> Fanout:
    """The fan-out of that log."""
    return Fanout(cast("Any", log))  # it needs no more of a log


def following(fanout: Fanout, wants: tuple[Want, ...] | None = EVERYTHING) -> Follower:
    """A follower from now on."""
    follower = fanout.follow(lambda: None)
    fanout.focus(follower, wants)
    return follower


async def settled(fanout: Fanout) -> None:
    """Wait until everybody has been offered everything."""
    while not fanout.settled:
        await asyncio.sleep(0)


def positions(follower: Follower) -> list[int]:
    """Where the news stand that wait for a follower."""
    return [one.head.position for one in follower.take()]


async def test_a_follower_is_offered_what_it_wants_in_order(log: Log, fanout: Fanout) -> None:
    """Once, and nothing else."""
    follower = following(fanout, (make_want("github.com/acme/shop", "main"),))
    log.push(MAIN, "refs/heads/dev", MAIN)
    log.push(MAIN)
    await settled(fanout)
    assert positions(follower) == [1, 3, 4]
    assert positions(follower) == []


async def test_what_came_before_a_follower_is_the_logs_business(log: Log, fanout: Fanout) -> None:
    """Also when it is still on its way to others: up to the cursor it begins with, nothing."""
    others = following(fanout)
    log.push(MAIN, MAIN)
    late = fanout.follow(lambda: None)
    assert fanout.focus(late, EVERYTHING) == log.head
    log.push(MAIN)
    await settled(fanout)
    assert (positions(late), positions(others)) == ([3], [1, 2, 3])


async def test_whoever_pushed_is_answered_before_anybody_is_told(log: Log, fanout: Fanout) -> None:
    """What woke up in the same turn of the loop runs first."""
    order: list[str] = []
    follower = fanout.follow(lambda: order.append("told"))
    fanout.focus(follower, EVERYTHING)
    appended = asyncio.get_running_loop().create_future()

    async def sender() -> None:
        await appended
        order.append("answered")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sender())
        await asyncio.sleep(0)
        log.push(MAIN)
        appended.set_result(None)
    await settled(fanout)
    assert order == ["answered", "told"]


async def test_a_follower_that_fails_keeps_nobody_from_hearing(log: Log, fanout: Fanout) -> None:
    """Not this push, not the next, and not that the hub stops."""

    def fail() -> None:
        raise RuntimeError

    for _ in range(20):
        fanout.focus(fanout.follow(fail), EVERYTHING)
    others = [following(fanout) for _ in range(20)]
    for expected in ([1], [2]):
        log.push(MAIN)
        await settled(fanout)
        assert [positions(follower) for follower in others] == [expected] * 20
    fanout.stop()
    assert all(follower.closed for follower in others)


async def test_the_head_is_what_every_follower_was_offered(log: Log, fanout: Fanout) -> None:
    """While slices are told it stays; the loop has turns in between."""
    followers = [following(fanout) for _ in range(2 * SLICE + 1)]
    log.push(MAIN)
    turns = 0
    while not fanout.settled:
        assert fanout.head.position == 0
        turns += 1
        await asyncio.sleep(0)
    assert fanout.head == log.head
    assert turns > 2
    assert {tuple(positions(follower)) for follower in followers} == {(1,)}


async def test_a_slow_follower_loses_its_place_and_not_the_memory(log: Log, fanout: Fanout) -> None:
    """Over the limit the queue becomes one gap; what comes later follows it."""
    follower = following(fanout)
    for _ in range(QUEUE_LIMIT + 1):
        log.push(MAIN)
    await settled(fanout)
    log.push(MAIN)
    await settled(fanout)
    gap, *later = follower.take()
    assert isinstance(gap.item, Gap)
    assert gap.head.position + len(later) == QUEUE_LIMIT + 2
    assert [one.head.position for one in later][-1:] == [QUEUE_LIMIT + 2]


async def test_a_hub_that_cannot_keep_up_tells_everybody(log: Log, fanout: Fanout) -> None:
    """More than it can hold at once is a gap, also for who waits for another repository."""
    follower = following(fanout, (make_want("github.com/acme/other"),))
    log.push(*[MAIN] * (PENDING_LIMIT + 1))
    await settled(fanout)
    [gap] = follower.take()
    assert isinstance(gap.item, Gap)
    assert gap.head == fanout.head == log.head


async def test_another_log_is_a_gap_for_everybody(log: Log, fanout: Fanout) -> None:
    """And news go on behind the new head."""
    follower = following(fanout, (make_want("github.com/acme/shop", "main"),))
    log.push(MAIN)
    log.jump()
    log.push(MAIN)
    await settled(fanout)
    heads = [one.head for one in follower.take()]
    assert heads == [Cursor(1, 1, 0), Cursor(2, 7, 0), Cursor(2, 8, 0)]


async def test_who_wants_nothing_for_a_while_is_offered_nothing(log: Log, fanout: Fanout) -> None:
    """Not even gaps; what waited is forgotten, for the log has it."""
    follower = following(fanout)
    log.push(MAIN)
    await settled(fanout)
    fanout.focus(follower, None)
    log.push(MAIN)
    log.jump()
    await settled(fanout)
    assert positions(follower) == []


async def test_who_has_left_is_offered_nothing(log: Log, fanout: Fanout) -> None:
    """And leaves nothing behind."""
    follower = following(fanout, (make_want("github.com/acme/shop"),))
    fanout.leave(follower)
    log.push(MAIN)
    await settled(fanout)
    assert positions(follower) == []
    assert not fanout._by_key


async def test_stopping_closes_those_to_come_too(fanout: Fanout) -> None:
    """Nobody may begin to wait for a hub that is going away."""
    woken = asyncio.Event()
    follower = fanout.follow(woken.set)
    fanout.stop()
    assert follower.closed
    assert woken.is_set()
    assert fanout.follow(lambda: None).closed
    assert fanout.drained == 1


async def test_a_burst_is_one_wake_for_each(
    log: Log, fanout: Fanout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came together is written together, as far as a batch goes."""
    monkeypatch.setattr(fanout_module, "BATCH", 4)
    wakes: list[None] = []
    fanout.focus(fanout.follow(lambda: wakes.append(None)), EVERYTHING)
    log.push(*[MAIN] * 8)
    await settled(fanout)
    assert len(wakes) == 2
