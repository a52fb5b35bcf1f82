"""What other people write into a Redis, delete there and forbid: the log goes on, and says so."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hub.log.base import LogUnavailable, LogUnfit
from hub.log.redis import RedisLog
from hub.log.values import DeadLetter, Gap, StageReport
from hub.subscriptions import Registry
from tests.support.events import NOW, SUBJECT, Heard, event, record
from tests.support.redis_logs import hourly, opened, tell
from tests.support.redis_servers import RedisServer
from tests.support.waiting import eventually

KEY = "directcd:{log}:"


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
    await registry.put(hourly("good"), NOW)
    server.do("HSET", f"{KEY}subscriptions", "sub_x", row)
    for _ in range(2):
        server.do("XADD", f"{KEY}subscriptions:changes", "*", "id", "sub_x")
    await registry.refresh()
    again = Registry(log)
    await again.refresh()
    assert [s.name for s in registry.all()] == [s.name for s in again.all()] == ["good"]
    assert "subscription not" in caplog.text
    assert "Traceback" not in caplog.text


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
