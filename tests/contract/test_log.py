"""What every engine of the log promises; each engine runs the same tests."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.log.base import (
    Cursor,
    DeliveryRecord,
    Event,
    Gap,
    Log,
    LogUnavailable,
    NewEvent,
    SecretUse,
    StageReport,
    SubscriptionRow,
)
from hub.log.sqlite import SqliteLog

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
KEYS = frozenset({"github.com/acme/shop"})


@pytest.fixture(params=["sqlite"])
async def log(tmp_path: Path) -> AsyncIterator[Log]:
    """An open, empty log."""
    engine = SqliteLog(tmp_path / "log", keep_events=5, keep_deliveries=5)
    await engine.open()
    yield engine
    await engine.close()


def event(after: str | None, before: str | None = None, *, delivery: str = "") -> NewEvent:
    """A change of one ref."""
    subject = "github.com/acme/shop#refs/heads/main"
    return NewEvent(
        event_id=f"{subject} {before} {after}",
        delivery_key=delivery,
        subject=subject,
        before=before,
        after=after,
        keys=KEYS,
        ref="refs/heads/main",
        trace_id="0" * 32,
        tail=b'"data":1}',
    )


def record(at: datetime = NOW, verdict: str = "matched") -> DeliveryRecord:
    """A delivery received at a time."""
    return DeliveryRecord(
        at, "github", "main", "guid", "push", verdict, {"reason": "news"}, {"reason": "repeat"}
    )


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
    assert events[1].message == (
        b'{"specversion":"1.0","id":"%s","data":1}' % str(events[1].cursor).encode()
    )
    assert log.head == events[1].cursor


async def test_listeners_hear_every_event_once_in_order(log: Log) -> None:
    """Concurrent appends reach a listener in the order of their positions."""
    heard: list[Event] = []
    log.listen(heard.extend)
    async with asyncio.TaskGroup() as tasks:
        for number in range(50):
            tasks.create_task(log.append(record(), [event(str(number))]))
    assert [e.cursor.position for e in heard] == list(range(1, 51))


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
    assert await log.delivery(oldest["number"]) == oldest
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


@pytest.mark.timeout(30)
async def test_the_use_of_a_secret_outlives_the_deliveries(log: Log) -> None:
    """It is counted, not looked up in what is kept."""
    await log.append(signed("old"), [])
    await _append_until_pruned(log)
    assert (await log.secret_uses())[-1] == SecretUse("main", "old", NOW, 1)


async def test_whatever_follows_a_hint_without_a_hash_is_news(log: Log) -> None:
    """The hint may have meant a way back, after which the same push means something again."""
    hint = replace(event(None), event_id="hint 1", unsaid=True)
    moves = [event("b", "a"), hint, event("b", "a"), event("b", "a")]
    assert await append(log, *moves) == [False, False, False, True]


async def test_subscriptions_are_stored_replaced_and_forgotten(log: Log) -> None:
    """A subscription survives in the log until it is deleted."""
    row = SubscriptionRow("sub_1", "shop", {"repositories": []}, NOW)
    await log.put_subscription(row)
    await log.put_subscription(SubscriptionRow("sub_1", "shop", {"repositories": [1]}, NOW))
    assert [r.body for r in await log.subscriptions()] == [{"repositories": [1]}]
    await log.delete_subscription("sub_1")
    assert await log.subscriptions() == []


async def test_reports_are_gathered_by_the_trace_of_the_push(log: Log) -> None:
    """A trace knows when its push was received and what was reported since."""
    await append(log, event("a"))
    await log.report(StageReport("shop", "built", "ok", NOW, NOW, "0" * 32, version="v-1"))
    await log.report(StageReport("other", "built", "ok", NOW, NOW, "1" * 32))
    [trace] = await log.traces("shop", 10)
    assert (trace.commit, trace.received_at) == ("a", NOW)
    assert [r.stage for r in trace.reports] == ["built"]


async def test_a_closed_log_says_so(tmp_path: Path) -> None:
    """Writing after close is an error, not a hang."""
    engine = SqliteLog(tmp_path)
    await engine.open()
    await engine.close()
    with pytest.raises(LogUnavailable, match="closed"):
        await append(engine, event("a"))
