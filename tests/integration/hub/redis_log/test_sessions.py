"""One session with a Redis ends and another begins: what is appended again, and what is heard."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hub.log import redis_outbox
from hub.log.base import LogUnavailable
from hub.log.redis import RedisLog
from tests.support.events import Heard, event, record
from tests.support.redis_logs import opened, tell
from tests.support.redis_servers import RedisServer, sentinel_url, sentinels
from tests.support.waiting import eventually

KEY = "directcd:{log}:"
HOUR = timedelta(hours=1)


async def test_the_outbox_counts_from_the_loss(
    server: RedisServer, log: RedisLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long Redis was away; what was old before that is not appended again."""
    monkeypatch.setattr(redis_outbox, "OUTBOX_SECONDS", 1.0)
    heard = Heard(log)
    await tell(log, "old")
    await asyncio.sleep(1.3)
    await tell(log, "new")
    await eventually(lambda: heard.commits == ["old", "new"])
    server.kill()
    await asyncio.sleep(1.5)
    server.start()
    await eventually(lambda: heard.commits[2:] == ["new"])
    await eventually(lambda: log._session.is_up)  # what is heard comes on another connection
    await tell(log, "next")
    await eventually(lambda: heard.commits[2:] == ["new", "next"])


def test_the_outbox_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By number, by the bytes of the notifications, and by time."""
    outbox = redis_outbox.Outbox()
    monkeypatch.setattr(redis_outbox, "OUTBOX_BYTES", 2_000)
    for _ in range(3):
        outbox.add(record(), [replace(event("a"), tail=b"x" * 900)])
    assert len(outbox.all()) == 2
    monkeypatch.setattr(redis_outbox, "OUTBOX_DELIVERIES", 1)
    outbox.add(record(), [event("b")])
    assert [one.events[0].after for one in outbox.all()] == ["b"]
    at = outbox.all()[0].at
    outbox.drop_before(at + 59)
    assert outbox.all()
    outbox.drop_before(at + 61)
    assert not outbox.all()


async def test_what_cannot_be_sent_leaves_the_connection_in_step(log: RedisLog) -> None:
    """Later replies belong to later calls."""
    with pytest.raises(UnicodeEncodeError):
        await log.progress("\ud800")
    await tell(log, "a")
    assert await log.progress("x") is None


async def test_a_frozen_sentinel_costs_its_time_once(tmp_path: Path) -> None:
    """The one that answered last is asked first."""
    with sentinels(tmp_path) as (_, _, watchers):
        async with opened(sentinel_url(watchers)) as log:
            watchers[0].freeze()
            loop = asyncio.get_running_loop()
            took = []
            for _ in range(3):
                began = loop.time()
                await log._node.check_place()
                took.append(loop.time() - began)
            watchers[0].thaw()
            assert took[1] < took[0] / 2
            assert took[2] < took[0] / 2


async def test_a_listener_that_fails_leaves_the_session_alive(log: RedisLog) -> None:
    """A mistake in it, too."""
    heard = Heard(log)
    log._session.reader.keep = _broken  # type: ignore[method-assign]
    log._node.disconnect("test")
    await asyncio.sleep(0.3)
    del log._session.reader.keep
    await log.wait_until_up()
    await eventually(lambda: log._session.is_up)
    await tell(log, "a")
    await eventually(lambda: heard.commits == ["a"])


async def _broken() -> None:
    raise LookupError


async def test_a_catch_up_of_several_pages_is_complete(server: RedisServer, log: RedisLog) -> None:
    """In order, once, with what is told while it is read."""
    heard = Heard(log)
    await tell(log, "a")
    many = [replace(event(f"{n}"), subject=f"s#{n}", event_id=f"{n}") for n in range(1_100)]
    async with opened(server.url) as other:
        server.do("CLIENT", "KILL", "TYPE", "pubsub")
        await other.wait_until_up()
        while True:
            try:
                await other.append_late(record(), many)
                break
            except LogUnavailable:
                await other.wait_until_up()
        await eventually(lambda: len(heard.events) >= 1_101)
        await tell(other, "z")
        await eventually(lambda: heard.commits[-1] == "z")
    assert [one.cursor.position for one in heard.events] == list(range(1, 1_103))
    assert heard.gaps == []
