"""Streams: live, resumed, paused, by subscription."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.deliveries import SHOP, A, B, C, Post, github, push
from tests.support.hubs import post, serving_hub, settings
from tests.support.streams import SSE, after_of, blocks, cursor_now, first_with, poll, stream


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
