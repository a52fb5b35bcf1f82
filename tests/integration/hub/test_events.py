"""`/v1/events` over a real socket: streams and polls, resume, gaps, drain."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.api import events
from tests.support.deliveries import SHOP, A, B, C, push
from tests.support.hubs import hub_client, post, serving_hub, settings

SSE = {"accept": "text/event-stream"}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a hub behind a real socket."""
    async with (
        serving_hub(settings(tmp_path)) as (url, *_),
        httpx.AsyncClient(base_url=url) as client,
    ):
        yield client


@asynccontextmanager
async def stream(
    hub: httpx.AsyncClient, **params: str
) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
    """An open stream as decoded blocks, comments left out."""
    async with hub.stream("GET", "/v1/events", params=params, headers=SSE) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        yield blocks(answer)


async def blocks(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """The stream's blocks as dictionaries of their fields."""
    block: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if name:
            block[name] = value
        elif block:
            yield block
            block = {}


async def first_with(blocks: AsyncIterator[dict[str, str]], field: str) -> dict[str, str]:
    """The next block that has a field."""
    async for block in blocks:
        if field in block:
            return block
    raise AssertionError(f"the stream ended without {field}")


def after_of(block: dict[str, str]) -> str:
    """The commit a notification block announces."""
    after: str = httpx.Response(200, text=block["data"]).json()["data"]["after"]
    return after


async def cursor_now(hub: httpx.AsyncClient) -> str:
    """Where the log stands."""
    answer = await hub.get("/v1/events")
    assert answer.status_code == 204
    return answer.headers["x-directcd-cursor"]


async def test_a_stream_tells_a_push_live(hub: httpx.AsyncClient) -> None:
    """The notification carries the cursor as its id and names the commit."""
    async with stream(hub, repository=SHOP) as live:
        await first_with(live, "id")
        await post(hub, push(A))
        block = await first_with(live, "data")
    notification = httpx.Response(200, text=block["data"]).json()
    assert notification["id"] == block["id"]
    assert notification["type"] == "dev.directcd.push.v1"
    assert notification["subject"] == "github.com/acme/shop#refs/heads/main"
    assert notification["data"]["after"] == A


async def test_a_stream_leaves_out_what_is_not_wanted(hub: httpx.AsyncClient) -> None:
    """Other repositories and other refs pass by; the cursor still moves."""
    async with stream(hub, repository=SHOP, ref="main") as live:
        await first_with(live, "id")
        await post(hub, push(A, url="https://github.com/acme/other.git"))
        await post(hub, push(A, ref="refs/heads/dev"))
        await post(hub, push(B))
        assert after_of(await first_with(live, "data")) == B


async def test_a_quiet_stream_moves_its_cursor_with_the_pings(tmp_path: Path) -> None:
    """Or it would drop out of the log's reach while others push."""
    async with (
        serving_hub(settings(tmp_path)) as (url, _, app),
        httpx.AsyncClient(base_url=url) as hub,
    ):
        app.raw_events._ping_seconds = 0.05
        async with stream(hub, repository=SHOP) as live:
            start = (await first_with(live, "id"))["id"]
            await post(hub, push(A, url="https://github.com/acme/other.git"))
            while (moved := (await first_with(live, "id"))["id"]) == start:
                pass
            assert moved == await cursor_now(hub)


async def test_a_stream_resumes_behind_its_cursor(hub: httpx.AsyncClient) -> None:
    """What was pushed while away comes first, then what is new, nothing twice."""
    cursor = await cursor_now(hub)
    await post(hub, push(A))
    await post(hub, push(B, A))
    async with stream(hub, repository=SHOP, after=cursor) as live:
        seen = [after_of(await first_with(live, "data")) for _ in range(2)]
        await post(hub, push(C, B))
        seen.append(after_of(await first_with(live, "data")))
    assert seen == [A, B, C]


async def test_last_event_id_wins_over_after(hub: httpx.AsyncClient) -> None:
    """A browser's EventSource repeats its URL and sends the newer id as a header."""
    old = await cursor_now(hub)
    await post(hub, push(A))
    new = await cursor_now(hub)
    await post(hub, push(B, A))
    headers = SSE | {"last-event-id": new}
    async with hub.stream("GET", "/v1/events", params={"after": old}, headers=headers) as answer:
        assert after_of(await first_with(blocks(answer), "data")) == B


@pytest.mark.parametrize("cursor", ["1-1-000001", "nonsense", "9" * 400])
async def test_an_unknown_cursor_is_a_gap_and_the_stream_goes_on(
    hub: httpx.AsyncClient, cursor: str
) -> None:
    """Never an error: the subscriber looks once at everything."""
    async with stream(hub, after=cursor) as live:
        block = await first_with(live, "event")
        assert block["event"] == "gap"
        assert "reason" in block["data"]
        await post(hub, push(A))
        assert after_of(await first_with(live, "data")) == A


async def test_a_subscription_is_followed_by_its_id(hub: httpx.AsyncClient) -> None:
    """A server with thousands of repositories need not put them into a URL."""
    body = {"name": "s1", "repositories": [{"url": "git@github.com:Acme/Shop"}]}
    created = (await hub.post("/v1/subscriptions", json=body)).json()
    await post(hub, push(A))
    async with stream(hub, subscription=created["id"], after=created["cursor"]) as live:
        assert after_of(await first_with(live, "data")) == A
    unknown = await hub.get("/v1/events", params={"subscription": "sub_x"}, headers=SSE)
    assert unknown.status_code == 404


async def test_a_long_poll_returns_with_the_first_event(hub: httpx.AsyncClient) -> None:
    """It blocks until something wanted happens, and hands out the cursor to continue from."""
    cursor = await cursor_now(hub)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(poll(hub, after=cursor, repository=SHOP))
        await post(hub, push(A, url="https://github.com/acme/other.git"))
        await post(hub, push(B))
    answer = waiting.result().json()
    assert [event["data"]["after"] for event in answer["events"]] == [B]
    assert (await poll(hub, after=answer["cursor"], timeout="0")).status_code == 204


async def poll(hub: httpx.AsyncClient, **params: str) -> httpx.Response:
    """One long poll."""
    return await hub.get("/v1/events", params=params, headers={"accept": "application/json"})


async def test_a_long_poll_catches_up_at_once(hub: httpx.AsyncClient) -> None:
    """What is in the log already does not wait for the next push."""
    cursor = await cursor_now(hub)
    await post(hub, push(A))
    answer: dict[str, Any] = (await poll(hub, after=cursor)).json()
    assert [event["data"]["after"] for event in answer["events"]] == [A]
    assert answer["gap"] is None


async def test_a_long_poll_hands_out_a_page_at_a_time(
    hub: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was away for long comes back for the rest, and misses nothing."""
    monkeypatch.setattr(events, "PAGE", 2)
    cursor = await cursor_now(hub)
    for commit in (A, B, C):
        await post(hub, push(commit))
    seen: list[str] = []
    while len(seen) < 3:
        answer = (await poll(hub, after=cursor)).json()
        seen += [event["data"]["after"] for event in answer["events"]]
        assert len(answer["events"]) <= 2
        cursor = answer["cursor"]
    assert seen == [A, B, C]


async def test_too_many_parameters_are_refused(hub: httpx.AsyncClient) -> None:
    """With the way out for whoever follows thousands of repositories."""
    answer = await hub.get("/v1/events?" + "repository=h.test/a&" * 2_001)
    assert (answer.status_code, answer.json()["code"]) == (400, "too-many-parameters")


async def test_events_are_read_with_get(hub: httpx.AsyncClient) -> None:
    """Anything else is a mistake worth a word."""
    assert (await hub.post("/v1/events")).status_code == 405


async def test_a_long_poll_without_news_ends_in_time(hub: httpx.AsyncClient) -> None:
    """204 and a cursor; a malformed time-out is refused."""
    cursor = await cursor_now(hub)
    answer = await poll(hub, after=cursor, timeout="0.05")
    assert (answer.status_code, answer.headers["x-directcd-cursor"]) == (204, cursor)
    assert (await poll(hub, after=cursor, timeout="soon")).status_code == 400
    assert (await poll(hub, after=cursor, timeout="nan")).status_code == 204


async def test_the_hub_drains_within_a_second_with_polls_open(tmp_path: Path) -> None:
    """Streams get `bye`, polls return, and the process is free to go."""
    async with (
        serving_hub(settings(tmp_path)) as (url, stopping, app),
        httpx.AsyncClient(base_url=url) as hub,
        asyncio.TaskGroup() as tasks,
    ):
        cursor = await cursor_now(hub)
        polls = [tasks.create_task(poll(hub, after=cursor, timeout="60")) for _ in range(20)]
        async with stream(hub, repository=SHOP) as live:
            await first_with(live, "id")
            while len(app.raw_events._fanout._all) < 21:
                await asyncio.sleep(0.001)
            started = time.monotonic()
            stopping.set()
            assert (await first_with(live, "event"))["event"] == "bye"
            assert {(await p).status_code for p in polls} == {204}
    assert time.monotonic() - started < 1


async def test_a_repository_that_is_none_is_refused(tmp_path: Path) -> None:
    """A typo in a filter must not silently match nothing."""
    async with hub_client(settings(tmp_path)) as hub:
        answer = await hub.get("/v1/events", params={"repository": "shop"})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-repository")
