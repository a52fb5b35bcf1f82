"""What Redis keeps beside events is what the embedded log keeps, also when Redis forgets."""

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from secrets import token_hex

import pytest

from hub.log import redis_records, redis_reports
from hub.log.redis import RedisLog
from hub.log.redis_address import parse_redis_url
from hub.log.redis_records import RedisRecords
from hub.log.sqlite import SqliteLog
from hub.log.values import Head, Origin, StageReport, SubscriptionChanges, SubscriptionRow
from tests.support.events import NOW, event, record
from tests.support.redis_servers import RedisServer, single


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis."""
    with single(tmp_path_factory.mktemp("redis")) as found:
        yield found


@pytest.fixture
async def hubs(server: RedisServer) -> AsyncIterator[tuple[RedisLog, RedisLog]]:
    """The logs of two hubs on one Redis, which is empty but for what they put there."""
    address = parse_redis_url(f"{server.url}?prefix=t{token_hex(4)}")
    async with AsyncExitStack() as stack:
        logs = RedisLog(address), RedisLog(address)
        for log in logs:
            await log.open()
            stack.push_async_callback(log.close)
        yield logs


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    """An embedded log."""
    log = SqliteLog(tmp_path / "log")
    await log.open()
    yield log
    await log.close()


def row(name: str, ref: str = "") -> SubscriptionRow:
    """A subscription."""
    body = {"repositories": [{"url": "h.test/a", "ref": ref}]}
    return SubscriptionRow(f"sub_{name}", name, body, NOW)


async def put(log: RedisLog, changed: SubscriptionRow) -> None:
    """Store a subscription, whatever is stored under its id."""
    stored = {one.id: one for one in await reading(log)}
    assert await log.put_subscription(changed, stored.get(changed.id))


async def reading(log: RedisLog) -> list[SubscriptionRow]:
    """What is stored, read past what this hub has heard of."""
    other = RedisRecords(log._node)
    return await other.subscriptions()


async def test_deliveries_are_the_same_dictionaries(
    hubs: tuple[RedisLog, RedisLog], embedded: SqliteLog
) -> None:
    """Nobody who reads them can tell which log they come from."""
    for log in (hubs[0], embedded):
        await log.append(record(NOW + timedelta(milliseconds=1)), [event("a")])
        await log.append(record(), [event("a")])
    expected = await embedded.deliveries(10, None)
    assert await hubs[1].deliveries(10, None) == expected
    assert await hubs[1].deliveries(1, 2) == expected[1:]
    assert await hubs[1].delivery(1) == await embedded.delivery(1)


@pytest.mark.parametrize("number", [-1, 0, 3, 2**63, 10**30])
async def test_a_number_that_no_delivery_has_finds_nothing(
    hubs: tuple[RedisLog, RedisLog], number: int
) -> None:
    """Whatever number that is."""
    await hubs[0].append(record(), [event("a")])
    await hubs[0].append(record(), [event("b")])
    assert await hubs[0].delivery(number) is None
    older = await hubs[0].deliveries(10, number)
    assert [one["number"] for one in older] == ([2, 1] if number > 2 else [])


async def test_heads_are_found_by_the_beginning_of_their_subject(
    hubs: tuple[RedisLog, RedisLog], embedded: SqliteLog
) -> None:
    """Sorted, so many, and what means something in a pattern means itself."""
    subjects = ["h/a*b#r1", "h/a*b#r2", "h/axb#r", "h/[x]#r", "h/x#r", "h/a\\b#r", "h/ü?#r"]
    for log in (hubs[0], embedded):
        for number, subject in enumerate(reversed(subjects)):
            moved = replace(event(f"{number}"), subject=subject, event_id=subject)
            await log.append(record(), [moved])
        gone = replace(event(None, "6"), subject=subjects[0], event_id="gone")
        await log.append(record(), [gone])
    assert (await hubs[1].heads("h/a*", 1)) == [Head("h/a*b#r1", None, NOW)]
    for prefix in ("", "h/a*", "h/[", "h/a\\", "h/ü?", "h/?"):
        assert await hubs[1].heads(prefix, 100) == await embedded.heads(prefix, 100)


async def test_a_hub_hears_what_another_did_to_subscriptions(
    hubs: tuple[RedisLog, RedisLog],
) -> None:
    """Each once, as it is now; and nothing when nothing was done."""
    here, there = hubs
    assert await here.subscriptions() == []
    assert await here.changed_subscriptions() == SubscriptionChanges()
    for changed in (row("a"), row("b"), row("a", "main")):
        await put(there, changed)
    found = await here.changed_subscriptions()
    assert sorted(found.stored, key=lambda one: one.id) == [row("a", "main"), row("b")]
    await there.delete_subscription("sub_a")
    await there.delete_subscription("sub_unknown")
    assert await here.changed_subscriptions() == SubscriptionChanges(deleted=("sub_a",))
    assert await here.changed_subscriptions() == SubscriptionChanges()


async def test_a_hub_that_has_read_all_hears_what_comes_after(
    hubs: tuple[RedisLog, RedisLog],
) -> None:
    """Not again what it has read."""
    here, there = hubs
    await put(there, row("a"))
    assert await here.subscriptions() == [row("a")]
    await put(there, row("b"))
    assert await here.changed_subscriptions() == SubscriptionChanges(stored=(row("b"),))


async def test_a_redis_that_was_flushed_has_deleted_every_subscription(
    hubs: tuple[RedisLog, RedisLog], server: RedisServer
) -> None:
    """Those that were put again meanwhile are there; the hub's own are gone, too."""
    here, there = hubs
    for name in ("a", "b"):
        await put(there, row(name))
    await here.changed_subscriptions()
    await put(here, row("own"))
    server.do("FLUSHALL")
    await put(there, row("b", "main"))
    assert await here.changed_subscriptions() == SubscriptionChanges(
        stored=(row("b", "main"),), deleted=("sub_a", "sub_own")
    )
    server.do("FLUSHALL")
    assert await here.changed_subscriptions() == SubscriptionChanges(deleted=("sub_b",))
    assert await here.changed_subscriptions() == SubscriptionChanges()


async def test_a_change_that_a_fail_over_lost_is_taken_back(
    hubs: tuple[RedisLog, RedisLog], server: RedisServer
) -> None:
    """Also when as many others were made since."""
    here, there = hubs
    keys = here._node.keys
    await put(there, row("a"))
    await put(here, row("lost"))
    await here.changed_subscriptions()
    [(newest, _)] = await here._node.execute(
        "XREVRANGE", keys("subscriptions:changes"), "+", "-", "COUNT", 1
    )
    server.do("XDEL", keys("subscriptions:changes"), newest)
    server.do("HDEL", keys("subscriptions"), "sub_lost")
    await put(there, row("other"))
    found = await here.changed_subscriptions()
    assert sorted(one.name for one in found.stored) == ["a", "other"]
    assert found.deleted == ("sub_lost",)


async def test_a_hub_that_lags_far_behind_reads_all_again(
    hubs: tuple[RedisLog, RedisLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was deleted in the changes it missed is known by its absence."""
    monkeypatch.setattr(redis_records, "KEEP_CHANGES", 10)
    here, there = hubs
    for name in ("a", "b"):
        await put(there, row(name))
    await here.changed_subscriptions()
    await there.delete_subscription("sub_a")
    for number in range(500):  # Redis drops a hundred at a time
        await put(there, row("c", f"{number}"))
    found = await here.changed_subscriptions()
    assert sorted(one.name for one in found.stored) == ["b", "c"]
    assert found.deleted == ("sub_a",)


def some_report(choose: random.Random, number: int) -> StageReport:
    """A report of one of a few traces, stages and versions."""
    at = NOW + timedelta(seconds=number)
    return StageReport(
        target="shop",
        stage=choose.choice(["notified", "fetched", "built"]),
        result=choose.choice(["ok", "unchanged", "failed"]),
        started_at=at,
        ended_at=at,
        trace_id=choose.choice("0123") * 32,
        version=choose.choice([None, "v-1", "v-2", "v-3"]),
        message=f"message {number}",
        reporter="s1",
        is_caught=choose.random() < 0.5,
        commits=choose.choice([(), (("shop", "a" * 40),)]),
        bounds=choose.choice([(), ("git.test/acme/*",)]),
    )


@pytest.mark.parametrize("seed", range(5))
async def test_reports_are_the_same_as_in_the_embedded_log(
    hubs: tuple[RedisLog, RedisLog], embedded: SqliteLog, seed: int
) -> None:
    """The newest of each target, oldest first; and whose they are, the latest first."""
    choose = random.Random(seed)  # noqa: S311 - any will do
    reports = [some_report(choose, number) for number in range(12)]
    for log in (hubs[0], embedded):
        for report in reports:
            await log.report(report)
    for limit in (1, 3, 100):
        assert await hubs[1].reports("shop", limit) == await embedded.reports("shop", limit)
    assert await hubs[1].reports("shop", 100) == reports
    assert await hubs[1].reports("none", 10) == []
    assert await hubs[1].targets(10) == await embedded.targets(10) == ["shop"]


async def test_what_was_reported_since_is_told_by_every_engine(
    hubs: tuple[RedisLog, RedisLog], embedded: SqliteLog
) -> None:
    """Each target with a moment that grows with every report, whichever hub took it."""
    for taking, asked in ((hubs[0], hubs[1]), (embedded, embedded)):
        assert await asked.reported(0) == {}
        for target in ("shop", "till", "shop"):
            await taking.report(StageReport(target, "built", "ok", NOW, NOW, "1" * 32))
        first = await asked.reported(0)
        assert first.keys() == {"shop", "till"}
        assert first["shop"] > first["till"]
        await taking.report(StageReport("till", "built", "ok", NOW, NOW, "2" * 32))
        since = await asked.reported(first["shop"])
        assert since["till"] > since["shop"] == first["shop"]


async def test_the_push_of_a_trace_is_remembered_with_its_delivery(
    hubs: tuple[RedisLog, RedisLog], embedded: SqliteLog
) -> None:
    """What it was about, when it came and was stored, and the number of its delivery."""
    for log in (hubs[0], embedded):
        log._clock = lambda: NOW + timedelta(seconds=1)
        await log.append(record(), [])
        await log.append(record(), [event("a")])
    origin = Origin("github.com/acme/shop#refs/heads/main", "a", NOW, NOW + timedelta(seconds=1), 2)
    asked = ["f" * 32, "0" * 32]
    assert await hubs[1].origins(asked) == {"0" * 32: origin}
    assert await embedded.origins(asked) == {"0" * 32: origin}
    assert await embedded.origins([]) == await hubs[1].origins([]) == {}


async def test_reports_are_not_kept_for_ever(
    hubs: tuple[RedisLog, RedisLog], server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many of a target, and none of a target that is long gone."""
    monkeypatch.setattr(redis_reports, "KEEP_REPORTS", 100)
    for number in range(350):
        await hubs[0].report(StageReport("shop", "built", "ok", NOW, NOW, f"{number:032x}"))
    key = hubs[0]._node.keys("reports:shop")
    assert 100 <= server.do("XLEN", key) <= 200
    assert 0 < server.do("TTL", key) <= 30 * 24 * 3600
