"""Several hubs, and hubs that stop."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from hub.log.base import Log, LogUnavailable
from tests.support.callbacks import FAST, Worker, now, push, worker
from tests.support.receivers import Receiver, Reply, afters, receiver
from tests.support.waiting import eventually

WAITS = "callbacks wait for the log"


async def nobody(*_: object) -> None:
    """A lease that another hub has."""


def vanish(hub: Worker) -> None:
    """End a hub's callbacks without letting them save or give up anything."""
    for task in [*hub.callbacks._tasks.values(), hub.task]:
        task.cancel()
    hub.callbacks._tasks.clear()
    hub.callbacks._runners.clear()
    hub.callbacks.stop()
    hub.task = asyncio.create_task(asyncio.sleep(0))


async def test_another_hub_goes_on_when_one_vanishes(log: Log, shop: Receiver) -> None:
    """Nothing is lost, and what is repeated has an id that the receiver has seen."""
    shop.answer = lambda _: Reply(after_seconds=0.005)
    async with worker(log) as first, worker(log) as second:
        await first.subscribe("s1", shop.url)
        second.registry.loaded = False  # two hubs on one SQLite: it is told of changes by reading
        await second.registry.refresh()
        commits = await push(log, 200)
        await eventually(lambda: len(shop.taken) > 50)
        vanish(first)
        await eventually(lambda: len({one.after for one in shop.taken}) == 200)
    seen = list(dict.fromkeys(afters(shop.taken)))
    assert seen == commits
    ids = {one.headers["webhook-id"] for one in shop.taken}
    assert len(ids) == 200


async def test_a_log_that_gives_no_lease_is_said_once(
    log: Log, shop: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With its reason; when it gives one, the callback goes on."""
    give = log.lease

    async def refuse(*_: object) -> None:
        raise LogUnavailable("NOPERM")

    monkeypatch.setattr(log, "lease", refuse)
    async with worker(log, replace(FAST, lease_seconds=0.06)) as hub:
        await hub.subscribe("s1", shop.url)
        commits = await push(log)
        await asyncio.sleep(0.2)
        said = [vars(one).get("reason") for one in caplog.records if one.msg == WAITS]
        assert said == ["NOPERM"]
        monkeypatch.setattr(log, "lease", give)
        await eventually(lambda: afters(shop.taken) == commits)


async def test_a_hub_that_slept_over_its_lease_posts_nothing_more(
    log: Log, shop: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another hub may be far ahead by then."""
    async with worker(log, replace(FAST, first_pause_seconds=0.5)) as hub:
        status = 500
        shop.answer = lambda _: Reply(status)
        await hub.subscribe("s1", shop.url)
        await push(log)
        await eventually(lambda: shop.received)
        [runner] = hub.callbacks._runners.values()
        monkeypatch.setattr(log, "lease", nobody)
        runner.leased_until = 0.0
        status = 200
        await asyncio.sleep(1.0)
    assert shop.taken == []


async def test_what_another_hub_has_is_not_asked_for_at_every_change(
    log: Log, shop: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers renew their subscriptions all the time."""
    asked: list[str] = []

    async def refuse(name: str, *_: object) -> None:
        asked.append(name)

    monkeypatch.setattr(log, "lease", refuse)
    async with worker(log, replace(FAST, lease_seconds=60.0)) as hub:
        first = await hub.subscribe("s1", shop.url)
        await eventually(lambda: asked == [first.id])
        for _ in range(20):
            await hub.registry.renew(first.id, timedelta(hours=1), now())
            await asyncio.sleep(0)
        second = await hub.subscribe("s2", shop.url)
        await eventually(lambda: asked == [first.id, second.id])
        await hub.subscribe("s1", f"{shop.url}/new")
        await eventually(lambda: asked == [first.id, second.id, first.id])


async def test_two_hubs_post_each_event_once(log: Log, shop: Receiver) -> None:
    """Only the one that has the lease posts."""
    async with worker(log) as first, worker(log) as second:
        await first.subscribe("s1", shop.url)
        second.registry.loaded = False
        await second.registry.refresh()
        commits = await push(log, 50)
        await eventually(lambda: len(shop.taken) == 50)
        await asyncio.sleep(1.2)  # longer than a lease
    assert afters(shop.received) == commits


async def test_stopping_saves_what_was_taken_and_leaves_the_lease(log: Log, shop: Receiver) -> None:
    """A hub that stops in order repeats nothing, and the next one goes on at once."""
    timing = replace(FAST, lease_seconds=60.0, save_seconds=60.0)
    async with worker(log, timing) as first:
        await first.subscribe("s1", shop.url)
        commits = await push(log, 20)
        await eventually(lambda: len(shop.taken) == 20)
    async with worker(log, timing):
        commits += await push(log)
        await eventually(lambda: len(shop.taken) == 21)
    assert afters(shop.received) == commits


async def test_stopping_waits_for_no_slow_receiver(log: Log) -> None:
    """A request in flight gets half a second, and no more."""
    async with receiver(lambda _: Reply(after_seconds=15)) as slow, worker(log) as hub:
        for number in range(100):
            await hub.subscribe(f"s{number}", slow.url)
        await push(log)
        await eventually(lambda: len(slow.received) >= 16)
        started = time.monotonic()
        await hub.stop()
        assert time.monotonic() - started < 8  # a receiver is given ten
