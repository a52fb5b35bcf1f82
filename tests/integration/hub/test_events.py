"""`/v1/events` over a real socket: streams and polls, resume, gaps, drain."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from hub.api import following
from hub.log.sqlite import SqliteLog
from tests.support.deliveries import SHOP, A, B, C, Post, github, push
from tests.support.hubs import hub_client, post, serving_hub, settings
from tests.support.redis_servers import single

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
        app.raw_events._ticker.period_seconds = 0.05
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
    monkeypatch.setattr(following, "PAGE", 2)
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


async def test_a_subscription_and_a_repository_are_one_too_many(hub: httpx.AsyncClient) -> None:
    """Which of them was meant cannot be guessed."""
    answer = await hub.get("/v1/events", params={"subscription": "sub_1", "repository": SHOP})
    assert (answer.status_code, answer.json()["code"]) == (400, "two-filters")


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


async def test_the_hub_drains_at_once_with_polls_open(tmp_path: Path) -> None:
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
    assert time.monotonic() - started < 3  # the polls would take a minute


async def test_a_repository_that_is_none_is_refused(tmp_path: Path) -> None:
    """A typo in a filter must not silently match nothing."""
    async with hub_client(settings(tmp_path)) as hub:
        answer = await hub.get("/v1/events", params={"repository": "shop"})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-repository")


async def subscribed(hub: httpx.AsyncClient, **changes: Any) -> dict[str, str]:
    """A subscription to the shop: its id, and where it begins."""
    repository = {"url": SHOP} | changes
    body = {"name": "s1", "repositories": [repository]}
    created = (await hub.post("/v1/subscriptions", json=body)).json()
    return {"subscription": created["id"], "after": created["cursor"]}


async def test_a_paused_stream_goes_on_where_it_was(hub: httpx.AsyncClient) -> None:
    """Pings only while it is paused, its cursor stays; then what was missed, then what is new."""
    query = await subscribed(hub)
    url = f"/v1/subscriptions/{query['subscription']}"
    async with stream(hub, **query) as live:
        await post(hub, push(A))
        assert after_of(await first_with(live, "data")) == A
        await hub.post(f"{url}/pause")
        await post(hub, push(B, A))
        await hub.post(f"{url}/resume")
        await post(hub, push(C, B))
        assert [after_of(await first_with(live, "data")) for _ in range(2)] == [B, C]


async def test_a_paused_stream_sends_pings_without_a_cursor(tmp_path: Path) -> None:
    """Or who comes back would begin behind what was never sent."""
    async with (
        serving_hub(settings(tmp_path)) as (url, _, app),
        httpx.AsyncClient(base_url=url) as hub,
    ):
        app.raw_events._ticker.period_seconds = 0.02
        query = await subscribed(hub)
        await hub.post(f"/v1/subscriptions/{query['subscription']}/pause")
        await post(hub, push(A))
        async with hub.stream("GET", "/v1/events", params=query, headers=SSE) as answer:
            lines = answer.aiter_lines()
            seen = [await anext(lines) for _ in range(12)]
        assert seen.count(": ping") >= 3
        assert not [line for line in seen if line.startswith(("id", "data"))]
        polled = await poll(hub, timeout="0.05", **query)
        assert polled.headers["x-directcd-cursor"] == query["after"]


async def test_a_stream_follows_its_subscriptions_changes(hub: httpx.AsyncClient) -> None:
    """Other wants count from then on, without a new connection; without any it ends."""
    query = await subscribed(hub, ref="dev")
    async with stream(hub, **query) as live:
        await first_with(live, "id")
        await subscribed(hub, ref="main")
        await post(hub, push(A))
        assert after_of(await first_with(live, "data")) == A
        await hub.delete(f"/v1/subscriptions/{query['subscription']}")
        assert (await first_with(live, "event"))["event"] == "bye"


async def test_a_stream_hears_only_of_the_files_it_wants(hub: httpx.AsyncClient) -> None:
    """A push that is known to touch none of them passes by."""
    async with stream(hub, **await subscribed(hub, paths=["services/**"])) as live:
        await post(hub, files(A, B, "docs/a.md"))
        await post(hub, files(B, C, "docs/a.md", "services/shop/a.py"))
        assert after_of(await first_with(live, "data")) == C


def files(before: str, after: str, *names: str) -> Post:
    """A push to GitHub of one commit that changed these files."""
    commit = {"id": after, "added": [], "removed": [], "modified": names}
    document = {
        "ref": "refs/heads/main", "before": before, "after": after, "forced": False,
        "commits": [commit], "repository": {"full_name": "acme/shop", "clone_url": SHOP},
    }  # fmt: skip
    return github("push", document)


async def test_nothing_is_lost_or_doubled_between_log_and_live(tmp_path: Path) -> None:
    """Streams that open while pushes come see each from their cursor on, once and in order."""
    total = 60
    async with (
        serving_hub(settings(tmp_path)) as (url, *_),
        httpx.AsyncClient(base_url=url) as hub,
        asyncio.TaskGroup() as tasks,
    ):
        start = await cursor_now(hub)
        readers = []
        for number in range(total):
            if number % 4 == 0:
                readers.append(tasks.create_task(commits(hub, start, total)))
            sending = tasks.create_task(post(hub, push(f"{number + 1:040x}", f"{number:040x}")))
            await asyncio.sleep(0.003 * (number % 3))
            if number % 8 == 0:
                await sending
        seen = [await reader for reader in readers]
    assert len(seen[0]) == len(set(seen[0])) == total
    assert all(one == seen[0] for one in seen)


async def commits(hub: httpx.AsyncClient, after: str, number: int) -> list[str]:
    """So many commits as a stream tells them; its ids never go back."""
    seen: list[str] = []
    newest = 0
    async with stream(hub, repository=SHOP, after=after) as live:
        async for block in live:
            position = int(block.get("id", "0-0-0").split("-")[1])
            assert position >= newest or "id" not in block
            newest = max(newest, position)
            seen += [after_of(block)] if "data" in block else []
            if len(seen) == number:
                break
    return seen


async def test_an_event_stored_while_a_stream_catches_up_is_told_once(tmp_path: Path) -> None:
    """It is in the log and in the follower's queue; the cursor decides which one counts."""
    async with (
        serving_hub(settings(tmp_path)) as (url, _, app),
        httpx.AsyncClient(base_url=url) as hub,
        asyncio.TaskGroup() as tasks,
    ):
        log = app.raw_events._sources.log
        assert isinstance(log, SqliteLog)
        start = await cursor_now(hub)
        await post(hub, push(A))
        async with log._reading:  # it has its place, and cannot read yet
            reader = tasks.create_task(commits(hub, start, 3))
            while not app.raw_events._fanout._all:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.05)
            await post(hub, push(B, A))
        await post(hub, push(C, B))
        assert await reader == [A, B, C]


async def test_another_log_behind_the_hub_is_a_gap_for_open_streams(tmp_path: Path) -> None:
    """Redis was emptied: the stream says so, and goes on in the new log."""
    with single(tmp_path / "redis") as server:
        redis = SecretStr(server.url)
        async with (
            serving_hub(settings(tmp_path, redis=redis)) as (url, *_),
            httpx.AsyncClient(base_url=url) as hub,
            stream(hub, repository=SHOP) as live,
        ):
            await first_with(live, "id")
            await post(hub, push(A))
            old = (await first_with(live, "data"))["id"]
            server.do("FLUSHALL")
            await post(hub, push(B, A))
            seen = [await first_with(live, "data")]
            while "event" not in seen[-1]:
                seen.append(await first_with(live, "data"))
            assert seen[-1]["event"] == "gap"
            assert seen[-1]["id"].split("-")[0] != old.split("-")[0]
            await post(hub, push(C, B))
            block = await first_with(live, "data")
            while block.get("event") == "gap" or after_of(block) != C:
                block = await first_with(live, "data")
            gone = await poll(hub, after=old, repository=SHOP)
            assert gone.json()["gap"]


async def test_two_thousand_streams_drain_at_once(tmp_path: Path) -> None:
    """Each is told to come back at a moment of its own."""
    number = 2_000
    request = b"GET /v1/events HTTP/1.1\r\nhost: h\r\naccept: text/event-stream\r\n\r\n"
    async with serving_hub(settings(tmp_path)) as (url, stopping, app):
        port = int(url.rpartition(":")[2])
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(number)]
        for _, writer in streams:
            writer.write(request)
        for reader, _ in streams:
            await reader.readuntil(b"\nid: ")
        assert len(app.raw_events._fanout._all) == number
        started = time.monotonic()
        stopping.set()
        texts = [await reader.read() for reader, _ in streams]
        assert time.monotonic() - started < 3  # uvicorn alone would wait for ten
        for _, writer in streams:
            writer.close()
    pauses = [int(text.partition(b"retry: ")[2].split()[0]) for text in texts]
    assert min(pauses) >= 100
    assert max(pauses) <= 100 + number
    assert len(set(pauses)) > number / 3
