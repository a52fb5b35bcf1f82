"""Pushes while the hub is away: what it finds when it is back, told once."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.forges.opening import forge_of
from hub.forges.values import Place
from tests.support.hubs import told
from tests.support.recovering import MAIN, World, world
from tests.support.waiting import DEADLINE_SECONDS

NAMES = [f"acme/shop-{number}" for number in range(5)]
PROVIDERS = ["github", "gitea", "gitlab"]

pytestmark = pytest.mark.anyio


@pytest.fixture(params=PROVIDERS)
def forge(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A forge with five repositories."""
    with world(request.param, tmp_path) as made:
        for name in NAMES:
            made.repository(name)
        yield made


async def _hooked(forge: World) -> None:
    """Have the forge call the hub for each of its repositories."""
    settings = forge.settings().sources["main"]
    api = forge_of("main", settings)
    secret = settings.secrets[0].get_secret_value()
    for name in NAMES:
        await api.create_hook(Place(name), forge.hook_url, secret)
    await api.close()


async def _followed(forge: World, hub: httpx.AsyncClient) -> str:
    """Follow the main branch of each; the cursor at which that begins."""
    repositories = [{"url": forge.clone_url(name), "ref": "main"} for name in NAMES]
    body = {"name": "server", "repositories": repositories, "lease_seconds": 3600}
    cursor: str = (await hub.post("/v1/subscriptions", json=body)).json()["cursor"]
    return cursor


async def _looked_at(hub: httpx.AsyncClient, repositories: int) -> dict[str, Any]:
    """Wait until the hub has looked at so many."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            [source] = (await hub.get("/v1/sources")).json()["sources"]
            found: dict[str, Any] = source["recovery"]
            if found["looked_at"] and found["repositories"] >= repositories:
                return found
            await asyncio.sleep(0.05)


async def _news(forge: World, hub: httpx.AsyncClient, after: str) -> list[tuple[str, str]]:
    """What was told since a cursor: repository and commit."""
    news = [await told(hub, forge.clone_url(name), after) for name in NAMES]
    return [(one["repository"]["full_name"], one["after"]) for each in news for one in each]


async def test_every_tip_is_told_within_ten_seconds_of_the_start_and_nothing_twice(
    forge: World,
) -> None:
    await _hooked(forge)
    async with forge.hub() as hub:
        cursor = await _followed(forge, hub)
        await _looked_at(hub, len(NAMES))
        assert await forge.push(NAMES[0]) == [202]
        assert len(await _news(forge, hub, cursor)) == 1
    for _ in range(10):
        for name in NAMES:
            assert await forge.push(name) == [0]
    tips = {(name, forge.tips[name, MAIN]) for name in NAMES}
    async with forge.hub() as hub:
        async with asyncio.timeout(10):
            while not tips <= set(await _news(forge, hub, cursor)):
                await asyncio.sleep(0.05)
        await hub.post("/v1/recover", json={})
        assert max(Counter(await _news(forge, hub, cursor)).values()) == 1
        metrics = (await hub.get("/metrics")).text
        how = "redelivered" if forge.provider == "github" else "synthesised"
        number = 50 if forge.provider == "github" else 5
        counted = f'missed_webhooks_total{{recovery="{how}",source="main"}} {number}.0'
        assert counted in metrics.replace('source="main",recovery', "recovery") or (
            f'missed_webhooks_total{{source="main",recovery="{how}"}} {number}.0' in metrics
        )
