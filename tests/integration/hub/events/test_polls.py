"""Long polls, and what is refused of either kind."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.api import following
from tests.support.deliveries import SHOP, A, B, C, push
from tests.support.hubs import hub_client, post, settings
from tests.support.streams import cursor_now, poll


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


async def test_a_repository_that_is_none_is_refused(tmp_path: Path) -> None:
    """A typo in a filter must not silently match nothing."""
    async with hub_client(settings(tmp_path)) as hub:
        answer = await hub.get("/v1/events", params={"repository": "shop"})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-repository")
