"""The hub when its disk fails, its subscribers are slow, or it is asked for what it has not got."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, MutableMapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub import fanout
from hub.api import api_bodies
from hub.app import create_app
from hub.log.base import LogUnavailable
from hub.log.sqlite import SqliteLog
from tests.support.deliveries import A, B, github, push
from tests.support.hubs import client_of, hub_client, post, serving_hub, settings
from tests.support.waiting import DEADLINE_SECONDS, eventually


@pytest.fixture
async def full(tmp_path: Path) -> AsyncIterator[tuple[httpx.AsyncClient, SqliteLog]]:
    """A hub whose log has no room left, and the log."""
    log = SqliteLog(tmp_path)
    app = create_app(settings(tmp_path), log=log)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost"
        ) as client,
    ):
        await log._writer.run(lambda c: c.execute("PRAGMA max_page_count = 1").fetchone())
        # What is free inside the file is used up by small rows first.
        for number in range(2_000):
            if (await post(client, push(f"{number:040x}"))).status_code == 503:
                break
        yield client, log


async def test_a_full_disk_refuses_deliveries_and_says_so(
    full: tuple[httpx.AsyncClient, SqliteLog],
) -> None:
    """503 with Retry-After, not ready, and well again when there is room."""
    hub, log = full
    refused = await post(hub, push(A))
    assert (refused.status_code, refused.json()["code"]) == (503, "log-unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert (await hub.post("/v1/subscriptions", json=SUBSCRIPTION)).status_code == 503
    await log._writer.run(lambda c: c.execute("PRAGMA max_page_count = 100000").fetchone())
    assert (await post(hub, push(A))).status_code == 202
    assert (await hub.get("/readyz")).status_code == 200


SUBSCRIPTION = {"name": "s1" * 90, "repositories": [{"url": f"h.test/{'x' * 900}"}] * 50}


async def test_a_stopping_hub_is_not_ready(tmp_path: Path) -> None:
    """A balancer sends new deliveries elsewhere."""
    app = create_app(settings(tmp_path))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost"
        ) as client,
    ):
        app.state.stopping.set()
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "stopping")
        # and whoever comes now is sent away at once
        answer = await client.get("/v1/events", params={"after": "0-0-000000"})
        assert (answer.status_code, answer.headers["x-directcd-cursor"]) == (204, "0-0-000000")


async def test_a_closed_log_is_not_ready(tmp_path: Path) -> None:
    """The reason is in the answer."""
    log = SqliteLog(tmp_path)
    app = create_app(settings(tmp_path), log=log)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost"
        ) as client,
    ):
        await log.close()
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "log-unavailable")


async def test_what_is_not_remembered_is_not_found(tmp_path: Path) -> None:
    """With where to look instead."""
    async with hub_client(settings(tmp_path)) as hub:
        answer = await hub.get("/v1/deliveries/7")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-delivery")
        for odd in (
            "/v1/deliveries/x",
            f"/v1/deliveries/{10**30}",
            f"/v1/deliveries?before={10**30}",
        ):
            assert (await hub.get(odd)).status_code == 400
        assert (await hub.get("/v1/targets/none/timeline")).json()["traces"] == []


async def test_a_slow_stream_is_told_of_its_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it missed is a gap, and what comes after is delivered."""
    monkeypatch.setattr(fanout, "QUEUE_LIMIT", 3)
    app = create_app(settings(tmp_path))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost"
        ) as client,
    ):
        taken, complete = asyncio.Event(), asyncio.Event()
        chunks: list[bytes] = []

        async def receive() -> dict[str, str]:
            await complete.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            body = message.get("body")
            if isinstance(body, bytes):
                if not message.get("more_body"):
                    complete.set()
                chunks.append(body)
                if len(chunks) == 2:  # the stream has said where it starts: stop reading
                    await taken.wait()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(app(_scope(), receive, send))
            while len(chunks) < 2:
                await asyncio.sleep(0)
            for number in range(5):
                await post(client, push(f"{number + 1:040x}"))
            taken.set()
            await _until(chunks, b"event: gap")
            await post(client, push(B))
            await _until(chunks, B.encode())
            app.state.stopping.set()
    assert b"event: bye" in chunks[-2]


async def test_a_stream_that_cannot_be_written_to_keeps_its_trouble(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is given up with one line, whatever is raised; nobody else hears of it."""
    app = create_app(settings(tmp_path))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost"
        ) as client,
    ):
        complete = asyncio.Event()
        sent: list[object] = []

        async def receive() -> dict[str, str]:
            await complete.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)
            if len(sent) > 3:  # status, retry, and where it starts
                raise RuntimeError("unable to perform operation, the handler is closed")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(app(_scope(), receive, send))
            await eventually(lambda: len(sent) == 3)
            await post(client, push(A))
            await eventually(lambda: "answer broken off" in caplog.text)
            await post(client, push(B, A))
            complete.set()
    assert [one.msg for one in caplog.records if one.exc_info] == ["answer broken off"]


def _scope() -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": "/v1/events",
        "query_string": b"",
        "headers": [(b"accept", b"text/event-stream")],
    }


async def _until(chunks: list[bytes], wanted: bytes) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not any(wanted in chunk for chunk in chunks):
            await asyncio.sleep(0.001)


def _divide(number: int, _: object) -> int:
    return 1 // number


async def test_one_write_that_cannot_be_done_does_not_fail_the_others(tmp_path: Path) -> None:
    """They share a commit, not a fate."""
    log = SqliteLog(tmp_path)
    await log.open()
    outcomes = await asyncio.gather(
        *(log._writer.run(partial(_divide, n)) for n in (1, 0, 1)), return_exceptions=True
    )
    assert [isinstance(outcome, LogUnavailable) for outcome in outcomes] == [False, True, False]
    await log.close()


async def test_a_reader_that_is_cancelled_leaves_the_log_readable(tmp_path: Path) -> None:
    """The connection stays the thread's until it is done, also for close."""
    log = SqliteLog(tmp_path)
    await log.open()
    reading = asyncio.ensure_future(log._following.ask(lambda _: time.sleep(0.1)))
    await asyncio.sleep(0.02)
    reading.cancel()
    assert await log.subscriptions() == []
    reading = asyncio.ensure_future(log._following.ask(lambda _: time.sleep(0.1)))
    await asyncio.sleep(0.02)
    await log.close()
    await reading


async def test_a_large_body_for_the_api_is_refused(tmp_path: Path) -> None:
    """No request of ours is that large, and memory is not for the asking."""
    async with hub_client(settings(tmp_path)) as hub:
        answer = await hub.post("/v1/reports", content=b"x" * 2_000_000)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
        assert answer.json()["next"] == "subscribe to less in one request"


async def test_bodies_for_the_api_have_a_limit_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit is refused for now; what was answered or given up makes room again."""
    monkeypatch.setattr(api_bodies, "TOGETHER_BYTES", 1_500_000)
    head = b"POST /v1/subscriptions HTTP/1.1\r\nHost: [::1]\r\nContent-Type: application/json\r\n"
    body = b"Content-Length: 1000000\r\n\r\n" + b"x" * 900_000
    async with serving_hub(settings(tmp_path)) as (url, _, app), httpx.AsyncClient() as client:
        port = httpx.URL(url).port
        _, first = await asyncio.open_connection("127.0.0.1", port)
        first.write(head + body)
        await eventually(lambda: app.api_bodies._held == 900_000)
        reader, second = await asyncio.open_connection("127.0.0.1", port)
        second.write(head + body)
        answer = await reader.readuntil(b"}")
        assert b" 503 " in answer
        assert b"retry-after: 2" in answer
        assert b'"next": "send it again later"' in answer
        for writer in (first, second):
            writer.transport.abort()
        await eventually(lambda: app.api_bodies._held == 0)
        assert (await client.get(f"{url}/v1/subscriptions")).status_code == 200


async def test_no_explanation_shows_a_password(tmp_path: Path) -> None:
    """A subscriber's URL may hold one; forges keep our answers."""
    async with hub_client(settings(tmp_path)) as hub:
        wanted = [{"url": "https://bob:hunter2@gitlab.com/acme/shop"}]
        answer = await hub.post("/v1/subscriptions", json={"name": "s1", "repositories": wanted})
        nearest = (await post(hub, push(A))).json()["nearest"]
        bad = [{"url": "https://bob:hunter2@"}]
        refused = await hub.post("/v1/subscriptions", json={"name": "s2", "repositories": bad})
    assert nearest[0]["wanted"] == "https://gitlab.com/acme/shop"
    assert "hunter2" not in answer.text + refused.text + str(nearest)


async def test_two_forges_on_one_host_are_told_apart(tmp_path: Path) -> None:
    """The same commit at another port is another repository's push."""
    async with hub_client(settings(tmp_path)) as hub:
        verdicts = [
            (await post(hub, push(A, url=f"http://git.test:{port}/acme/shop"))).json()["verdict"]
            for port in (3000, 4000)
        ]
    assert verdicts == ["no-match", "no-match"]


async def test_a_source_cannot_carry_another_repository_along(tmp_path: Path) -> None:
    """A payload whose URLs disagree announces the allowed one alone."""
    source = settings(tmp_path).sources["main"]
    limited = source.model_copy(update={"repositories": ("github.com/acme/*",)})
    document = json.loads(push(A).body)
    document["repository"]["ssh_url"] = "git@github.com:victim/shop.git"
    async with hub_client(settings(tmp_path, sources={"main": limited})) as hub:
        wanted = [{"url": "https://github.com/victim/shop"}]
        await hub.post("/v1/subscriptions", json={"name": "s1", "repositories": wanted})
        answer = await post(hub, github("push", document))
    assert (answer.status_code, answer.json()["matched"]) == (202, [])


async def test_a_source_cannot_make_another_repositorys_push_a_repeat(tmp_path: Path) -> None:
    """A forged clone URL moves no head and swallows no push but its own."""
    sources = settings(tmp_path).sources
    limited = sources["main"].model_copy(update={"repositories": ("github.com/acme/*",)})
    named = {"main": limited, "all": sources["main"]}
    forged = json.loads(push(A, url="https://github.com/victim/shop.git").body)
    forged["repository"]["ssh_url"] = "git@github.com:acme/shop.git"
    victims = push(A, url="https://github.com/victim/shop.git")
    async with hub_client(settings(tmp_path, sources=named)) as hub:
        first = await post(hub, github("push", forged))
        assert first.json()["event"]["repository"] == "github.com/acme/shop"
        assert (await post(hub, victims, "/webhooks/github/all")).status_code == 202


@pytest.mark.parametrize("query", ["repo=h.test/a", "ref=main", "repository="])
async def test_half_a_filter_is_refused(tmp_path: Path, query: str) -> None:
    """It would otherwise mean everything."""
    async with hub_client(settings(tmp_path)) as hub:
        assert (await hub.get(f"/v1/events?{query}")).status_code == 400


async def test_a_long_poll_that_cannot_keep_up_comes_back_for_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it catches up, more comes than it may be owed: the log has it for the next poll."""
    monkeypatch.setattr(fanout, "QUEUE_LIMIT", 2)
    log = SqliteLog(tmp_path)
    app = create_app(settings(tmp_path), log=log)
    async with (
        app.router.lifespan_context(app),
        client_of(app) as hub,
    ):
        cursor = str(log.head)
        await post(hub, push("e" * 40))
        async with log._following._turn:  # its catch-up has to wait
            waiting = asyncio.ensure_future(hub.get("/v1/events", params={"after": cursor}))
            while not app.raw_events._fanout._all:
                await asyncio.sleep(0)
            for number in range(5):
                await post(hub, push(f"{number + 1:040x}"))
        answer = (await waiting).json()
        seen = answer["events"]
        while len(seen) < 6:
            assert answer["gap"] is None
            answer = (await hub.get("/v1/events", params={"after": answer["cursor"]})).json()
            seen += answer["events"]
    assert len({event["id"] for event in seen}) == 6
