"""What every engine of the log promises; each engine runs the same tests."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from secrets import token_hex

import pytest

from hub.log.base import Log, LogUnavailable
from hub.log.redis import RedisLog
from hub.log.redis_address import parse_redis_url
from hub.log.spool import SpooledLog
from hub.log.sqlite import SqliteLog
from hub.log.values import (
    Cursor,
    DeliveryRecord,
    Gap,
    NewEvent,
    SecretUse,
    StageReport,
    SubscriptionRow,
)
from hub.tracing import traces
from tests.support.events import KEYS, NOW, Heard, event, record
from tests.support.redis_servers import cluster, cluster_url, sentinel_url, sentinels, single
from tests.support.waiting import eventually

Url = Callable[[], str]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Url]]:
    """An empty Redis of each kind, started when a test asks for it."""
    with ExitStack() as stack:

        def redis() -> str:
            return stack.enter_context(single(tmp_path_factory.mktemp("single"))).url

        def sentinel() -> str:
            found = stack.enter_context(sentinels(tmp_path_factory.mktemp("sentinel")))
            return sentinel_url(found[2])

        def sharded() -> str:
            return cluster_url(stack.enter_context(cluster(tmp_path_factory.mktemp("cluster"))))

        yield {"redis": cache(redis), "sentinel": cache(sentinel), "cluster": cache(sharded)}


@pytest.fixture(params=["sqlite", "redis", "sentinel", "cluster", "spool"])
async def log(
    request: pytest.FixtureRequest, tmp_path: Path, servers: dict[str, Url]
) -> AsyncIterator[Log]:
    """An open, empty log."""
    engine = make(request.param, tmp_path / "log", servers)
    await engine.open()
    yield engine
    await engine.close()


def make(kind: str, directory: Path, servers: dict[str, Url]) -> Log:
    """A log of a kind, with a prefix of its own where there is a server."""
    if kind == "sqlite":
        return SqliteLog(directory, keep_events=5, keep_deliveries=5)
    url = servers["redis" if kind == "spool" else kind]()
    address = parse_redis_url(f"{url}?prefix=t{token_hex(4)}")
    engine = RedisLog(address, keep_events=5, keep_deliveries=5)
    return SpooledLog(engine, directory) if kind == "spool" else engine


async def append(log: Log, *events: NewEvent, at: datetime = NOW) -> list[bool]:
    """Append one delivery an event; which of them were repeats."""
    return [(await log.append(record(at), [one])).duplicate for one in events]


async def test_events_come_back_in_order_with_their_cursor_inside(log: Log) -> None:
    """A subscriber reads what was appended, each message starting with its own cursor."""
    start = log.head
    await append(log, event("a"), event("b", "a"))
    events = await log.read(start, 10)
    assert isinstance(events, list)
    assert [e.cursor.position for e in events] == [1, 2]
    assert json.loads(events[1].message)["id"] == str(events[1].cursor)
    assert (events[1].keys, events[1].ref) == (KEYS, "refs/heads/main")
    await eventually(lambda: log.head == events[1].cursor)


async def test_listeners_hear_every_event_once_in_order(log: Log) -> None:
    """Concurrent appends reach a listener in the order of their positions."""
    heard = Heard(log)
    async with asyncio.TaskGroup() as tasks:
        for number in range(50):
            tasks.create_task(log.append(record(), [event(str(number))]))
    await eventually(lambda: len(heard.events) >= 50)
    assert [e.cursor.position for e in heard.events] == list(range(1, 51))
    assert not heard.gaps


async def test_the_same_news_is_a_repeat_by_meaning_and_by_delivery_id(log: Log) -> None:
    """Two hooks of one forge announce one push; a redelivery carries the same id."""
    assert await append(log, event("a"), event("a", delivery="other")) == [False, True]
    assert await append(log, event("b", "a", delivery="1"), event("x", delivery="1")) == [
        False,
        True,
    ]


async def test_a_ref_that_returns_and_moves_again_is_news(log: Log) -> None:
    """A→B, forced back to A, A→B again: the third push is announced, a late copy is not."""
    moves = [event("b", "a"), event("a", "b"), event("b", "a"), event("b", "a")]
    assert await append(log, *moves) == [False, False, False, True]


async def test_a_branch_deleted_and_created_again_is_news(log: Log) -> None:
    """Create, delete, create at the same commit: three events."""
    moves = [event("a"), event(None, "a"), event("a"), event("a")]
    assert await append(log, *moves) == [False, False, False, True]


@pytest.mark.parametrize(
    "moves",
    [
        [event("a"), event(None), event("a"), event(None)],
        [event("a"), event("b"), event("a"), event("b")],
    ],
    ids=["branch deleted and made again, twice", "tag moved to and fro"],
)
async def test_what_forges_announce_without_the_old_commit_is_news_each_time(
    log: Log, moves: list[NewEvent]
) -> None:
    """A deletion or a moved tag may come with no `before`; only the same again is a repeat."""
    assert await append(log, *moves, moves[-1]) == [False, False, False, False, True]


async def test_a_late_copy_of_an_older_push_is_a_repeat(log: Log) -> None:
    """A second hook that lags two pushes behind does not move the head back."""
    moves = [event("b", "a"), event("c", "b"), event("b", "a"), event("c", "b")]
    assert await append(log, *moves) == [False, False, True, True]


async def test_a_repeat_after_the_window_is_a_new_hint(log: Log) -> None:
    """Deduplication forgets after its time."""
    await append(log, event("a"))
    assert await append(log, event("a"), at=NOW + timedelta(seconds=601)) == [False]


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [
        (Cursor(1, 1, 1), "another log"),
        (None, "older state"),
        ("tag", "used again"),
        ("pruned", "no longer reaches"),
    ],
    ids=["other epoch", "beyond the end", "other tag", "pruned away"],
)
async def test_a_cursor_that_cannot_be_continued_is_a_gap(
    log: Log, cursor: Cursor | str | None, reason: str
) -> None:
    """Every way a cursor can be wrong is noticed from the cursor alone."""
    await append(log, event("a"), event("b", "a"))
    await eventually(lambda: log.head.position == 2)
    head = log.head
    if cursor is None:
        cursor = Cursor(head.epoch, 99, head.tag)
    elif cursor == "tag":
        cursor = Cursor(head.epoch, 2, head.tag ^ 1)
    elif cursor == "pruned":
        await _append_until_pruned(log)
        cursor = Cursor(head.epoch, 0, 0)
    assert isinstance(cursor, Cursor)
    found = await log.read(cursor, 10)
    assert isinstance(found, Gap)
    assert reason in found.reason


async def _append_until_pruned(log: Log) -> None:
    for number in range(1_000):
        await log.append(record(), [event(f"p{number}")])


async def test_deliveries_are_remembered_with_their_verdict(log: Log) -> None:
    """A repeat is remembered as a duplicate whatever it would have been as news."""
    await append(log, event("a"), event("a"))
    newest, oldest = await log.deliveries(10, None)
    assert (oldest["verdict"], newest["verdict"]) == ("matched", "duplicate")
    assert [d["explanation"]["reason"] for d in (oldest, newest)] == ["news", "repeat"]
    assert (await log.delivery(oldest["number"]) or {}).items() >= oldest.items()
    assert await log.delivery(10_000) is None
    assert await log.deliveries(10, newest["number"]) == [oldest]


def signed(mark: str, *, at: datetime = NOW) -> DeliveryRecord:
    """A delivery that a secret verified."""
    return replace(record(at), signed_by="/run/secret", secret_mark=mark)


async def test_a_delivery_says_which_secret_signed_it(log: Log) -> None:
    """By its place; nothing when nothing was checked."""
    numbers = [(await log.append(one, [])).delivery for one in (signed("new"), record())]
    found = [await log.delivery(number) for number in numbers]
    assert [one and one["signed_by"] for one in found] == ["/run/secret", ""]


async def test_the_use_of_each_secret_is_counted_duplicates_included(log: Log) -> None:
    """A delivery of known news was signed all the same."""
    later = NOW + timedelta(seconds=5)
    await log.append(signed("new", at=later), [event("a")])
    assert (await log.append(signed("new"), [event("a")])).duplicate
    await log.append(signed("old"), [])
    assert sorted(await log.secret_uses(), key=lambda use: use.mark) == [
        SecretUse("main", "new", later, 2),
        SecretUse("main", "old", NOW, 1),
    ]


async def test_the_use_of_a_secret_outlives_the_deliveries(log: Log) -> None:
    """It is counted, not looked up in what is kept."""
    await log.append(signed("old"), [])
    await _append_until_pruned(log)
    assert SecretUse("main", "old", NOW, 1) in await log.secret_uses()


async def test_whatever_follows_a_hint_without_a_hash_is_news(log: Log) -> None:
    """The hint may have meant a way back, after which the same push means something again."""
    hint = replace(event(None), event_id="hint 1", unsaid=True)
    moves = [event("b", "a"), hint, event("b", "a"), event("b", "a")]
    assert await append(log, *moves) == [False, False, False, True]


async def test_subscriptions_are_stored_replaced_and_forgotten(log: Log) -> None:
    """A subscription survives in the log until it is deleted."""
    row = SubscriptionRow("sub_1", "shop", {"repositories": []}, NOW)
    other = replace(row, body={"repositories": [1]})
    assert await log.put_subscription(row, None)
    assert await log.put_subscription(other, row)
    assert await log.subscriptions() == [other]
    await log.delete_subscription("sub_1")
    assert await log.subscriptions() == []


async def test_a_subscription_is_stored_only_over_the_one_that_was_read(log: Log) -> None:
    """Whoever has read an older one, or none, is told and changes nothing; nor does it return."""
    row = SubscriptionRow("sub_1", "shop", {"repositories": []}, NOW)
    other = replace(row, body={"repositories": [1]})
    assert not await log.put_subscription(other, row)
    assert await log.put_subscription(row, None)
    assert not await log.put_subscription(other, None)
    assert not await log.put_subscription(other, replace(row, expires_at=NOW + timedelta(1)))
    assert await log.subscriptions() == [row]


async def test_reports_are_gathered_by_the_trace_of_the_push(log: Log) -> None:
    """A trace knows when its push was received and what was reported since."""
    await append(log, event("a"))
    await log.report(StageReport("shop", "built", "ok", NOW, NOW, "0" * 32, version="v-1"))
    await log.report(StageReport("other", "built", "ok", NOW, NOW, "1" * 32))
    [trace] = await traces(log, "shop", 10)
    assert trace.origin
    assert (trace.origin.commit, trace.origin.received_at) == ("a", NOW)
    assert [r.stage for r in trace.reports] == ["built"]


async def test_a_closed_log_says_so(tmp_path: Path) -> None:
    """Writing after close is an error, not a hang."""
    engine = SqliteLog(tmp_path)
    await engine.open()
    await engine.close()
    with pytest.raises(LogUnavailable, match="closed"):
        await append(engine, event("a"))
