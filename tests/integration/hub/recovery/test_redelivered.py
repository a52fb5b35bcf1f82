"""What GitHub could not deliver is delivered again by GitHub, and what it loses is still found."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.forges.opening import forge_of
from hub.forges.values import Place
from tests.support.forge_apis import FakeGitHub
from tests.support.forge_apis.server import Answer
from tests.support.forge_apis.subjects import WEBHOOK_SECRET, closing, source_of
from tests.support.hubs import told
from tests.support.recovering import MAIN, World, world
from tests.support.waiting import DEADLINE_SECONDS

SHOP = Place("acme/shop")

pytestmark = pytest.mark.anyio


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[World]:
    """A GitHub with one repository."""
    with world("github", tmp_path) as made:
        made.repository(SHOP.name)
        yield made


def _github(forge: World) -> FakeGitHub:
    assert isinstance(forge.forge, FakeGitHub)
    return forge.forge


@asynccontextmanager
async def _hooked(forge: World, place: Place = SHOP) -> AsyncIterator[str]:
    """A webhook, and a hub that was there when somebody followed; then it is away."""
    async with closing(forge_of("main", forge.settings().sources["main"])) as api:
        await api.create_hook(place, forge.hook_url, WEBHOOK_SECRET)
    async with forge.hub() as hub:
        repositories = [{"url": forge.clone_url(SHOP.name), "ref": "main"}]
        body = {"name": "server", "repositories": repositories, "lease_seconds": 3600}
        cursor: str = (await hub.post("/v1/subscriptions", json=body)).json()["cursor"]
        assert await forge.push(SHOP.name) == [202]
    yield cursor


async def _told(forge: World, hub: httpx.AsyncClient, after: str) -> list[str]:
    """The commits that were told of."""
    return [one["after"] for one in await told(hub, forge.clone_url(SHOP.name), after)]


async def _hears(forge: World, hub: httpx.AsyncClient, after: str, commit: str) -> list[str]:
    """Wait until a commit was told of; all that was."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while commit not in (heard := await _told(forge, hub, after)):
            await asyncio.sleep(0.05)
    return heard


async def _missed_some(hub: httpx.AsyncClient) -> dict[str, Any]:
    """Wait until a look has found something; what is remembered of it."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            [source] = (await hub.get("/v1/sources")).json()["sources"]
            looks: dict[str, Any] = source["recovery"] or {}
            if looks.get("missed"):
                return looks
            await asyncio.sleep(0.05)


async def test_every_missed_push_arrives_with_its_own_delivery_id(forge: World) -> None:
    async with _hooked(forge) as cursor:
        commits = [forge.tips[SHOP.name, MAIN]]
        for _ in range(3):
            assert await forge.push(SHOP.name) == [0]
            commits.append(forge.tips[SHOP.name, MAIN])
        async with forge.hub() as hub:
            assert await _hears(forge, hub, cursor, commits[-1]) == commits
            listed = (await hub.get("/v1/deliveries")).json()["deliveries"]
            failed = [one.delivery for one in _github(forge).log if not one.status_code]
            guids = {one.guid for one in failed if one.event == "push"}
            assert guids <= {one["delivery_id"] for one in listed}


async def test_an_order_turned_round_does_not_have_the_tip_told_twice(forge: World) -> None:
    async with _hooked(forge) as cursor:
        for _ in range(3):
            await forge.push(SHOP.name)
        tip = forge.tips[SHOP.name, MAIN]
        _github(forge).turns_round = 3
        async with forge.hub() as hub:
            await _hears(forge, hub, cursor, tip)
            await hub.post("/v1/recover", json={})
            await hub.post("/v1/recover", json={})
            assert (await _told(forge, hub, cursor)).count(tip) == 1


async def test_what_github_does_not_repeat_after_all_is_told_by_the_hub(forge: World) -> None:
    async with _hooked(forge) as cursor:
        await forge.push(SHOP.name)
        _github(forge).redelivers = False
        async with forge.hub() as hub:
            assert forge.tips[SHOP.name, MAIN] in await _hears(
                forge, hub, cursor, forge.tips[SHOP.name, MAIN]
            )
            [delivery, *_] = (await hub.get("/v1/deliveries")).json()["deliveries"]
            assert delivery["source"] == "reconcile"


async def test_an_organisations_webhook_is_found_too(forge: World) -> None:
    async with _hooked(forge, Place("acme", is_organisation=True)) as cursor:
        await forge.push(SHOP.name)
        async with forge.hub() as hub:
            await _hears(forge, hub, cursor, forge.tips[SHOP.name, MAIN])
            assert any(one.is_repeated for one in _github(forge).log)


async def test_a_token_that_sees_no_webhooks_leaves_the_comparison(forge: World) -> None:
    async with _hooked(forge) as cursor:
        await forge.push(SHOP.name)
        _github(forge).is_allowed = False
        async with forge.hub() as hub:
            await _hears(forge, hub, cursor, forge.tips[SHOP.name, MAIN])
            [source] = (await hub.get("/v1/sources")).json()["sources"]
            assert "404" in source["recovery"]["troubles"][0]


async def test_a_limited_api_is_left_alone_and_the_push_is_found(forge: World) -> None:
    async with _hooked(forge) as cursor:
        await forge.push(SHOP.name)
        limit = Answer(403, {"message": "rate limit"}, {"retry-after": "60"})
        _github(forge).fail_next.append(limit)
        asked = len(forge.forge.requests)
        async with forge.hub() as hub:
            await _hears(forge, hub, cursor, forge.tips[SHOP.name, MAIN])
            assert len(forge.forge.requests) == asked + 1


async def test_a_repository_that_is_not_there_stops_no_other(forge: World) -> None:
    async with _hooked(forge) as cursor:
        async with forge.hub() as hub:
            repositories = [{"url": forge.clone_url("aaa/gone"), "ref": "main"}]
            body = {"name": "wrong", "repositories": repositories, "lease_seconds": 3600}
            await hub.post("/v1/subscriptions", json=body)
        commits = [forge.tips[SHOP.name, MAIN]]
        for _ in range(3):
            await forge.push(SHOP.name)
            commits.append(forge.tips[SHOP.name, MAIN])
        async with forge.hub() as hub:
            assert await _hears(forge, hub, cursor, commits[-1]) == commits
            looks = await _missed_some(hub)
            assert "404" in looks["troubles"][0]
            assert looks["asked_at"], "what is refused for good was asked"


async def test_two_sources_do_not_keep_each_other_from_hearing(
    forge: World, tmp_path: Path
) -> None:
    """The one that ends first stops listening; the other must not miss what comes."""
    (tmp_path / "more").mkdir()
    with world("gitea", tmp_path / "more") as other:
        other.repository("acme/lib")
        async with _hooked(forge) as cursor:
            for _ in range(3):
                await forge.push(SHOP.name)
            tip = forge.tips[SHOP.name, MAIN]
            _github(forge).turns_round = 3
            beside = source_of(other.forge, "gitea")
            sources = {**forge.settings().sources, "tea": beside}
            settings = forge.settings().model_copy(update={"sources": sources})
            async with forge.hub(settings) as hub:
                await _hears(forge, hub, cursor, tip)
                await hub.post("/v1/recover", json={})
                assert (await _told(forge, hub, cursor)).count(tip) == 1
