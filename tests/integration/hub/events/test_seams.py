"""Between log and live, from one log to another, and at the end: nothing lost, nothing twice."""

import asyncio
import time
from pathlib import Path

import httpx
from pydantic import SecretStr

from hub.log.sqlite import SqliteLog
from tests.support.deliveries import SHOP, A, B, C, push
from tests.support.hubs import post, serving_hub, settings
from tests.support.redis_servers import single
from tests.support.streams import after_of, cursor_now, first_with, poll, stream


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
    assert time.monotonic() - started < 9  # the polls would take a minute, uvicorn waits for ten


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
        async with log._following._turn:  # it has its place, and cannot read yet
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
    request = b"GET /v1/events HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n"
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
        assert time.monotonic() - started < 9  # uvicorn alone would wait for ten
        for _, writer in streams:
            writer.close()
    pauses = [int(text.partition(b"retry: ")[2].split()[0]) for text in texts]
    assert min(pauses) >= 100
    assert max(pauses) <= 100 + number
    assert len(set(pauses)) > number / 3
