"""What is kept of deliveries, accepted and refused, is the same in every log."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from hub.log import redis_deliveries, sqlite_deliveries
from hub.log.base import Log
from hub.log.delivered import Wanted
from hub.log.redis import RedisLog
from hub.log.redis_address import parse_redis_url
from hub.log.refused import Refusal
from hub.log.sqlite import SqliteLog
from hub.log.values import DeliveryRecord
from tests.support.events import NOW, record
from tests.support.redis_servers import RedisServer, single

DETAILS = b'{"peer":"10.0.0.1","headers":[["host","h"]],"payload_bytes":9,"payload_kept_bytes":2}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis."""
    with single(tmp_path_factory.mktemp("redis")) as found:
        yield found


@pytest.fixture(params=["sqlite", "redis"])
async def log(
    request: pytest.FixtureRequest, tmp_path: Path, server: RedisServer
) -> AsyncIterator[Log]:
    """An empty log."""
    address = parse_redis_url(f"{server.url}?prefix=t{token_hex(4)}")
    engine: Log = SqliteLog(tmp_path) if request.param == "sqlite" else RedisLog(address)
    await engine.open()
    yield engine
    await engine.close()


def explained(repository: str = "h.test/a", **more: Any) -> DeliveryRecord:
    """A delivery with an explanation."""
    change = {"ref": "refs/heads/main", "before": None, "after": "abc" + "0" * 37}
    explanation = {
        "event": {"repository": repository, **change},
        "changes": [change],
        "matched": ["shop"],
        "nearest": [{"subscription": "other"}],
    }
    return replace(record(), explanation=explanation, repeat_explanation=explanation, **more)


def refusal(number: int = 0, code: str = "bad-signature", **more: Any) -> Refusal:
    """A refused delivery."""
    at = NOW + timedelta(seconds=number)
    named = ("github", "main", 401, code, f"wrong {number}", "mend it", "10.0.0.1")
    one = Refusal(at, at, "/webhooks/github/main", *named, [("host", "h")], 5, {"sent_by": "gogs"})
    return replace(one, **more)


async def numbers(log: Log, wanted: Wanted) -> list[int]:
    """The deliveries that a search finds."""
    return [one["number"] for one in await log.deliveries(10, None, wanted)]


async def test_a_delivery_is_kept_with_how_it_came(log: Log) -> None:
    """Headers, peer and payload of one alone; lists have the outcome."""
    number = (await log.append(explained(details=DETAILS, payload=b"{}"), [])).delivery
    [listed] = await log.deliveries(1, None)
    found = await log.delivery(number)
    assert found is not None
    assert found.items() >= listed.items()
    assert (listed["repository"], listed["ref"]) == ("h.test/a", "refs/heads/main")
    assert (listed["status"], found["peer"], found["headers"]) == (202, "10.0.0.1", [["host", "h"]])
    assert await log.payload(number) == b"{}"
    assert await log.payload(number + 1) is None


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(verdict="ping"),
        Wanted(source="tea"),
        Wanted(provider="gitea"),
        Wanted(repository="h.test/b"),
        Wanted(q="H.TEST/B"),
        Wanted(q="SECOND"),
        Wanted(since=NOW + timedelta(seconds=1)),
    ],
    ids=lambda wanted: "".join(filter(str.isalnum, f"{wanted}"))[-40:],
)
async def test_a_search_finds_what_it_asks_for(log: Log, wanted: Wanted) -> None:
    """And nothing else, by every field."""
    await log.append(explained(), [])
    other = {"verdict": "ping", "source": "tea", "provider": "gitea", "delivery_id": "second"}
    later = {"received_at": NOW + timedelta(seconds=2), "signed_by": ""}
    await log.append(explained("h.test/b", **other, **later), [])
    await log.append(explained(), [])
    assert await numbers(log, wanted) == [2]


@pytest.mark.parametrize(("q", "found"), [("abc000", [1]), ("othe", [1]), ("shop", [1]), ("?", [])])
async def test_a_word_is_searched_in_commits_and_subscriptions(
    log: Log, q: str, found: list[int]
) -> None:
    """Also in the names of those that nearly matched."""
    await log.append(explained(), [])
    assert await numbers(log, Wanted(q=q)) == found


async def test_a_search_goes_on_behind_what_does_not_fit(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many of the others lie before it, within a bound."""
    monkeypatch.setattr(redis_deliveries, "PIECE", 3)
    for verdict in ("ping", *["matched"] * 10):
        await log.append(explained(verdict=verdict), [])
    assert await numbers(log, Wanted(verdict="ping")) == [1]
    for engine in (redis_deliveries, sqlite_deliveries):
        monkeypatch.setattr(engine, "SCANNED", 9)
    assert await numbers(log, Wanted(verdict="ping")) == []


async def test_what_is_too_old_is_forgotten(log: Log) -> None:
    """Deliveries with their payloads, and refusals; not what is younger."""
    for hours in range(3):
        at = NOW + timedelta(hours=hours)
        await log.append(explained(received_at=at, payload=b"{}"), [])
        await log.refuse([refusal(hours * 3600)])
    await log.forget_before(NOW + timedelta(hours=2))
    assert [one["number"] for one in await log.deliveries(10, None)] == [3]
    assert [await log.payload(number) for number in (1, 2, 3)] == [None, None, b"{}"]
    assert [one.detail for one in await log.refusals(10, None)] == ["wrong 7200"]


async def test_equal_refusals_are_one_with_their_number(log: Log) -> None:
    """From the first to the last of them."""
    later = NOW + timedelta(seconds=9)
    await log.refuse([refusal(), refusal(1)])
    await log.refuse([refusal(last_at=later, at=later, peer="10.0.0.2", count=4)])
    newest, other = await log.refusals(10, None)
    assert (newest.count, newest.at, newest.last_at, newest.peer) == (5, NOW, later, "10.0.0.2")
    assert other == refusal(1)
    assert await log.refusals(10, newest.number) == [other]


async def test_many_refusals_of_one_kind_push_out_no_other(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each code the newest are kept."""
    for engine in (redis_deliveries, sqlite_deliveries):
        monkeypatch.setattr(engine, "KEEP_REFUSALS", 2)
    await log.refuse([refusal()])
    await log.refuse([refusal(number, "unknown-source") for number in range(1, 9)])
    found = await log.refusals(100, None)
    assert [one.code for one in found] == ["unknown-source", "unknown-source", "bad-signature"]
    assert [one.detail for one in found] == ["wrong 8", "wrong 7", "wrong 0"]
