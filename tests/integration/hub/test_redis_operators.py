"""What other people write into a Redis, delete there and forbid: the log goes on, and says so."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.log import redis_callbacks, redis_outbox
from hub.log.base import LogUnavailable, LogUnfit
from hub.log.redis import RedisLog
from hub.log.redis_address import parse_redis_url
from hub.log.values import DeadLetter, Gap, StageReport
from hub.subscriptions import NewSubscription, Registry
from hub.wants import make_want
from tests.support.events import NOW, SUBJECT, Heard, event, record
from tests.support.redis_logs import opened, tell
from tests.support.redis_servers import RedisServer, sentinel_url, sentinels, single
from tests.support.waiting import eventually

KEY = "directcd:{log}:"
HOUR = timedelta(hours=1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of the test's own."""
    with single(tmp_path / "redis") as started:
        yield started


@pytest.fixture
async def log(server: RedisServer) -> AsyncIterator[RedisLog]:
    """A log on it."""
    async with opened(server.url) as found:
        yield found


async def test_a_deleted_stream_begins_another_log(server: RedisServer, log: RedisLog) -> None:
    """Positions would begin again under the same epoch: cursors must not mean something else."""
    heard = Heard(log)
    await tell(log, "a")
    before = log.head
    server.do("DEL", f"{KEY}log")
    await tell(log, "b")
    await eventually(lambda: heard.gaps)
    await tell(log, "c")
    await eventually(lambda: heard.commits[-1:] == ["c"])
    assert log.head.epoch > before.epoch


async def test_the_same_append_again_is_known_by_its_nonce(server: RedisServer) -> None:
    """Also when it is tried again as if it were new, and nobody recognises repeats."""
    log = RedisLog(parse_redis_url(f"{server.url}"), deduplication_seconds=0)
    await log.open()
    delivery = record()
    await log.append(delivery, [event("a")])
    await log.append(delivery, [event("a")])
    assert server.do("XLEN", f"{KEY}log") == 1
    assert server.do("TTL", f"{KEY}done:{delivery.nonce}.0") > 80_000
    await log.close()


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


async def test_an_unreadable_entry_is_a_gap_and_is_passed(
    server: RedisServer, log: RedisLog
) -> None:
    """For whoever listens and whoever reads; what follows is told."""
    heard = Heard(log)
    await tell(log, "a")
    await eventually(lambda: heard.commits == ["a"])
    before = log.head
    server.do("XADD", f"{KEY}log", f"{before.epoch}-*", "foo", "bar")
    await tell(log, "b")
    await eventually(lambda: heard.gaps == ["the log holds an entry that no hub wrote"])
    await tell(log, "c")
    await eventually(lambda: heard.commits[-1] == "c")
    assert isinstance(await log.read(before, 10), Gap)
    assert log.head.epoch == before.epoch
    async with opened(server.url) as other:
        assert other.head == log.head


@pytest.mark.parametrize("entry", ["*", "999999999999999999-1", "18446744073709551615-1", "last"])
async def test_an_entry_above_ours_does_not_stop_the_log(
    server: RedisServer, log: RedisLog, entry: str
) -> None:
    """It goes on as another log."""
    heard = Heard(log)
    await tell(log, "a")
    before = log.head
    place = f"{before.epoch}-18446744073709551614" if entry == "last" else entry
    server.do("XADD", f"{KEY}log", place, "foo", "bar")
    appended = await log.append(record(), [event("b"), replace(event("x"), event_id="x")])
    assert len(appended.cursors) == 2
    assert appended.cursors[0].epoch > before.epoch
    await eventually(lambda: heard.gaps)
    await tell(log, "c")
    await eventually(lambda: heard.commits[-1] == "c")


@pytest.mark.parametrize("value", ["garbage", "x|y", "nan|b|c", ""])
async def test_garbage_beside_the_log_stops_nothing(
    server: RedisServer, log: RedisLog, value: str
) -> None:
    """Heads, counts, times, a delivery of somebody else's, an epoch that is no number."""
    await tell(log, "a")
    server.do("HSET", f"{KEY}heads", SUBJECT, value)
    for name in ("count", "last"):
        server.do("HSET", f"{KEY}uses:{name}", '["main",""]', value)
    server.do("SET", f"{KEY}seen:{SUBJECT} None b", value)
    server.do("XADD", f"{KEY}deliveries", "*", "foo", "bar")
    appended = await log.append_late(record(), [event("b")])
    assert not appended.duplicate
    server.do("SET", f"{KEY}epoch", value)
    assert not (await log.append(record(), [event("c")])).duplicate


async def test_a_mark_of_another_type_stops_no_delivery(server: RedisServer, log: RedisLog) -> None:
    """Else it, and what waits behind it, would be tried for ever."""
    one = event("a")
    server.do("LPUSH", f"{KEY}seen:{one.event_id}", "x")
    server.do("LPUSH", f"{KEY}seen:{one.delivery_key}", "x")
    assert not (await log.append(record(), [one])).duplicate
    assert (await log.append(record(), [one])).duplicate


async def test_what_no_hub_wrote_hides_nothing_else(server: RedisServer, log: RedisLog) -> None:
    """Every list leaves it out."""
    await tell(log, "a")
    at = datetime.now(UTC)
    await log.report(StageReport("shop", "built", "done", at, at, "0" * 32))
    await log.bury(DeadLetter(0, "sub_1", str(log.head), b"{}", "no", NOW))
    server.do("HSET", f"{KEY}heads", "x#y", "garbage")
    server.do("HSET", f"{KEY}uses:count", "no json", "1", "[1]", "1", '["main",""]', "1")
    server.do("XADD", f"{KEY}deliveries", "*", "foo", "bar")
    server.do("XADD", f"{KEY}reports:shop", "*", "foo", "bar")
    server.do("XADD", f"{KEY}dead-letters", "1-999", "foo", "bar")
    server.do("SET", f"{KEY}trace:{'0' * 32}", "\udcff".encode("utf-8", "surrogateescape"))
    assert [head.after for head in await log.heads("", 10)] == ["a"]
    assert [use.deliveries for use in await log.secret_uses()] == [1]
    assert len(await log.deliveries(10, None)) == 1
    assert [letter.subscription_id for letter in await log.dead_letters(10, None)] == ["sub_1"]
    assert await log.dead_letter(999) is None
    assert [one.trace_id for one in await log.reports("shop", 10)] == ["0" * 32]
    assert await log.origins(["0" * 32]) == {}


async def test_a_late_hint_leaves_a_newer_head(log: RedisLog) -> None:
    """It says nothing about what came after it."""
    await log.append(record(NOW), [event("new", "old")])
    hint = replace(event(None), event_id="hint", unsaid=True)
    await log.append_late(record(NOW - HOUR), [hint])
    assert [head.after for head in await log.heads(SUBJECT, 10)] == ["new"]


async def test_heads_of_deleted_refs_go_when_their_repeats_would_be_news(log: RedisLog) -> None:
    """A ref that was made again stays."""
    for name in ("gone", "back"):
        gone = replace(event(None, "a"), subject=f"s#{name}", event_id=name)
        await log.append(record(), [gone])
    await log.append(record(), [replace(event("b"), subject="s#back", event_id="again")])
    assert len(await log.heads("s#", 10)) == 2
    await log.append(record(NOW + HOUR), [event("later")])
    assert [head.subject for head in await log.heads("s#", 10)] == ["s#back"]


async def test_any_heads_are_told_without_a_prefix_up_to_the_limit(log: RedisLog) -> None:
    """Not all there are."""
    many = [replace(event("a"), subject=f"s#{n}", event_id=f"{n}") for n in range(50)]
    await log.append(record(), many)
    assert len(await log.heads("", 10)) == 10


@pytest.mark.parametrize(
    "row",
    [
        "{",
        '{"id":"sub_x","name":"n","body":{}}',
        '{"id":"sub_y","name":"n","body":{},"expires_at":"2030-01-01T00:00:00Z"}',
        '{"id":"sub_x","name":"n","body":{},"expires_at":"2030-01-01T00:00:00"}',
        '{"id":"sub_x","name":"n","body":{"repositories":5},"expires_at":"2030-01-01T00:00:00Z"}',
    ],
)
async def test_an_unreadable_subscription_is_skipped(
    server: RedisServer, log: RedisLog, row: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And said once; the others count."""
    registry = Registry(log)
    await registry.put(new("good"), NOW)
    server.do("HSET", f"{KEY}subscriptions", "sub_x", row)
    for _ in range(2):
        server.do("XADD", f"{KEY}subscriptions:changes", "*", "id", "sub_x")
    await registry.refresh()
    again = Registry(log)
    await again.refresh()
    assert [s.name for s in registry.all()] == [s.name for s in again.all()] == ["good"]
    assert "subscription not" in caplog.text
    assert "Traceback" not in caplog.text


def new(name: str) -> NewSubscription:
    """A subscription for an hour."""
    return NewSubscription(name, (make_want("https://h.test/a"),), HOUR)


async def test_changes_at_two_hubs_at_once_undo_nothing(server: RedisServer) -> None:
    """A pause stays, and what was deleted does not return."""
    async with opened(server.url) as one, opened(server.url) as two:
        here, there = Registry(one), Registry(two)
        for number in range(40):
            made = await here.put(new(f"s{number}"), NOW)
            await asyncio.gather(here.pause(made.id), there.renew(made.id, 2 * HOUR, NOW))
            await asyncio.gather(here.refresh(), there.refresh())
            for found in (here.get(made.id), there.get(made.id)):
                assert found is not None
                assert (found.paused, found.expires_at) == (True, NOW + 2 * HOUR)
            await asyncio.gather(here.delete(made.id), there.renew(made.id, HOUR, NOW))
            await asyncio.gather(here.refresh(), there.refresh())
            assert (here.get(made.id), there.get(made.id)) == (None, None)


async def test_a_mistake_in_taking_over_subscriptions_ends_nothing(log: RedisLog) -> None:
    """All of them are read again the next time."""
    registry, other, fails = Registry(log), Registry(log), [True]
    await registry.refresh()

    def listener() -> None:
        if fails:
            fails.clear()
            raise LookupError

    registry.on_change(listener)
    await other.put(new("s1"), NOW)
    await registry.refresh()  # whoever is told fails
    assert not fails
    await other.put(new("s2"), NOW)
    await registry.refresh()
    assert [s.name for s in registry.all()] == ["s1", "s2"]


async def test_what_cannot_be_sent_leaves_the_connection_in_step(log: RedisLog) -> None:
    """Later replies belong to later calls."""
    with pytest.raises(UnicodeEncodeError):
        await log.progress("\ud800")
    await tell(log, "a")
    assert await log.progress("x") is None


@pytest.mark.parametrize("how", ["replica", "full", "rights"])
async def test_a_refusal_about_the_server_ends_the_session(
    server: RedisServer, log: RedisLog, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The next one looks whether it is better; the reason is said."""
    caplog.set_level(logging.WARNING)
    commands = {
        "replica": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), "READONLY"),
        "full": (("CONFIG", "SET", "maxmemory", "1mb"), ("CONFIG", "SET", "maxmemory", "0"), "OOM"),
        "rights": (
            ("ACL", "SETUSER", "default", "-xadd"), ("ACL", "SETUSER", "default", "+xadd"), "xadd",
        ),
    }  # fmt: skip
    harm, mend, reason = commands[how]
    server.do(*harm)
    with pytest.raises(LogUnavailable, match=reason):
        await tell(log, "a")
    assert not log._session.is_up
    await eventually(lambda: "Redis cannot be used" in caplog.text)
    reasons = [getattr(one, "reason", "") for one in caplog.records]
    assert any(reason in one for one in reasons)
    assert how != "rights" or any("the hub's user needs" in one for one in reasons)
    server.do(*mend)
    await log.wait_until_up()
    await tell(log, "b")


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


async def test_a_delivery_with_news_in_its_first_part_is_no_repeat(log: RedisLog) -> None:
    """Nor does a late one lose its later parts."""
    many = [replace(event(f"{n}"), subject=f"s#{n}", event_id=f"{n}") for n in range(1_001)]
    await log.append(record(), many[1:])
    found = await log.append_late(record(), [many[0], *many[1:]])
    assert not found.duplicate
    assert (await log.deliveries(1, None))[0]["verdict"] == "matched"
    fresh = [replace(one, subject=f"t{one.subject}", event_id=f"t{one.event_id}") for one in many]
    assert len((await log.append_late(record(), fresh)).cursors) == 1_001


@pytest.mark.parametrize(
    ("scheme", "path", "reason"),
    [
        ("redis", "/99", "out of range.*write a database"),
        ("redis+sentinel", "/hub", "no Sentinel: write redis://"),
        ("redis+cluster", "", "no Cluster: write redis://"),
    ],
)
async def test_a_wrong_address_is_answered_by_the_next_step(
    server: RedisServer, scheme: str, path: str, reason: str
) -> None:
    """Waiting would not mend it."""
    with pytest.raises(LogUnfit, match=reason):
        async with opened(f"{scheme}://127.0.0.1:{server.port}{path}"):
            pass


async def test_the_numbers_of_a_subscriptions_dead_letters_shrink_with_them(
    server: RedisServer, log: RedisLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By removals, and by the limit."""
    monkeypatch.setattr(redis_callbacks, "KEEP_DEAD_LETTERS", 5)
    for _ in range(8):
        last = await log.bury(DeadLetter(0, "sub_x", "1-1-000000", b"{}", "r", NOW))
    assert server.do("SCARD", f"{KEY}dead-letters:of:sub_x") == 5
    assert await log.remove_dead_letter(last)
    assert not await log.remove_dead_letter(last)
    assert server.do("SCARD", f"{KEY}dead-letters:of:sub_x") == 4
    assert len(await log.dead_letters(10, None)) == 4
