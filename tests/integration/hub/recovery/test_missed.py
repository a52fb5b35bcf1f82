"""Pushes while the hub is away: what it finds when it is back, told once."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import Any

import httpx
import pytest

from hub.forges.opening import forge_of
from hub.forges.values import Place
from tests.support.forge_apis.subjects import WEBHOOK_SECRET, closing
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
            found: dict[str, Any] = source["recovery"] or {}
            if found and found["repositories"] >= repositories:
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
        labels = f'recovery="{how}",source="main"'
        assert f"directcd_hub_missed_webhooks_total{{{labels}}} {number}.0" in metrics


async def _told_of(forge: World, hub: httpx.AsyncClient, name: str, after: str) -> list[Any]:
    """What was told of one repository since a cursor: ref and commit."""
    news = await told(hub, forge.clone_url(name), after)
    return [(one["ref"], one["after"]) for one in news]


async def _recovered(hub: httpx.AsyncClient) -> dict[str, Any]:
    """Have the hub look now; what it found."""
    [found] = (await hub.post("/v1/recover", json={})).json()["sources"]
    result: dict[str, Any] = found
    return result


@pytest.fixture
def gitea(tmp_path: Path) -> Iterator[World]:
    """A Gitea with one repository."""
    with world("gitea", tmp_path) as made:
        made.repository("acme/shop")
        yield made


async def _follow(forge: World, hub: httpx.AsyncClient, ref: str) -> str:
    """Follow a ref, or a pattern; the cursor, once the hub has looked."""
    repositories = [{"url": forge.clone_url("acme/shop"), "ref": ref}]
    body = {"name": "server", "repositories": repositories, "lease_seconds": 3600}
    cursor: str = (await hub.post("/v1/subscriptions", json=body)).json()["cursor"]
    await _looked_at(hub, 1)
    return cursor


async def test_what_stood_there_when_somebody_began_to_follow_was_not_missed(gitea: World) -> None:
    async with gitea.hub() as hub:
        cursor = await _follow(gitea, hub, "")
        assert (await _recovered(hub))["synthesised"] == 0
        assert await _told_of(gitea, hub, "acme/shop", cursor) == []


async def test_new_deleted_and_rewound_refs_are_found(gitea: World) -> None:
    gitea.commit("acme/shop", "refs/heads/old")
    first = gitea.tips["acme/shop", MAIN]
    gitea.commit("acme/shop")
    async with gitea.hub() as hub:
        cursor = await _follow(gitea, hub, "")
    await gitea.delete("acme/shop", "refs/heads/old")
    gitea.commit("acme/shop", "refs/heads/new")
    gitea.move("acme/shop", MAIN, first)
    tag = gitea.tag("acme/shop", "v1")
    async with gitea.hub() as hub:
        await _recovered(hub)
        assert set(await _told_of(gitea, hub, "acme/shop", cursor)) == {
            ("refs/heads/old", None),
            ("refs/heads/new", gitea.tips["acme/shop", "refs/heads/new"]),
            (MAIN, first),
            ("refs/tags/v1", tag),
        }
        assert (await _recovered(hub))["synthesised"] == 0


async def test_refs_that_nobody_follows_are_nobodys_news(gitea: World) -> None:
    async with gitea.hub() as hub:
        cursor = await _follow(gitea, hub, "release/*")
        gitea.commit("acme/shop")
        gitea.commit("acme/shop", "refs/heads/release/1")
        await _recovered(hub)
        news = await _told_of(gitea, hub, "acme/shop", cursor)
        assert [ref for ref, _ in news] == ["refs/heads/release/1"]


async def test_a_push_there_and_back_again_is_found(gitea: World) -> None:
    settings = gitea.settings().sources["main"]
    async with gitea.hub() as hub, closing(forge_of("main", settings)) as api:
        await api.create_hook(Place("acme/shop"), gitea.hook_url, WEBHOOK_SECRET)
        cursor = await _follow(gitea, hub, "main")
        first = gitea.tips["acme/shop", MAIN]
        assert await gitea.push("acme/shop") == [202]
        gitea.move("acme/shop", MAIN, first)
        await _recovered(hub)
        assert (await _told_of(gitea, hub, "acme/shop", cursor))[-1] == (MAIN, first)


async def test_a_delivery_that_comes_late_is_not_told_again(gitea: World) -> None:
    settings = gitea.settings().sources["main"]
    async with gitea.hub() as hub, closing(forge_of("main", settings)) as api:
        await api.create_hook(Place("acme/shop"), gitea.hook_url, WEBHOOK_SECRET)
        cursor = await _follow(gitea, hub, "main")
        before, after = gitea.commit("acme/shop")
        assert (await _recovered(hub))["synthesised"] == 1
        late = await asyncio.to_thread(gitea.forge.push, "acme/shop", MAIN, before, after)
        assert late == [200]
        assert await _told_of(gitea, hub, "acme/shop", cursor) == [(MAIN, after)]


async def test_what_moves_while_one_looks_was_not_missed(gitea: World) -> None:
    """Its delivery is on the way: another one has just come."""
    settings = gitea.settings().sources["main"]
    async with gitea.hub() as hub, closing(forge_of("main", settings)) as api:
        await api.create_hook(Place("acme/shop"), gitea.hook_url, WEBHOOK_SECRET)
        await _follow(gitea, hub, "main")
        late = gitea.commit("acme/shop")
        asked = len(gitea.git.requests)

        def moves() -> None:
            number = len(gitea.git.requests) - asked
            if number == 1:
                Timer(0.2, gitea.forge.push, ("acme/shop", MAIN, *late)).start()
            if number == 2:
                gitea.commit("acme/shop")

        gitea.git.on_request = moves
        assert (await _recovered(hub))["synthesised"] == 0
        gitea.git.on_request = lambda: None
        assert (await _recovered(hub))["synthesised"] == 1


async def test_what_was_found_says_so_wherever_one_looks(gitea: World) -> None:
    async with gitea.hub() as hub:
        cursor = await _follow(gitea, hub, "main")
        _, after = gitea.commit("acme/shop")
        await _recovered(hub)
        [event] = (await hub.get("/v1/events", params={"after": cursor, "timeout": 0})).json()[
            "events"
        ]
        assert event["source"].endswith("/webhooks/gitea/reconcile")
        [delivery] = (await hub.get("/v1/deliveries")).json()["deliveries"]
        assert (delivery["source"], delivery["provider"]) == ("reconcile", "gitea")
        assert "no delivery told of this push" in delivery["explanation"]["reason"]
        assert delivery["explanation"]["matched"] == ["server"]
        again = await hub.post(f"/v1/deliveries/{delivery['number']}/redeliver", json={})
        assert again.status_code == 409
        trace = (await hub.get(f"/v1/traces/{after}")).json()
        assert trace["traces"][0]["is_missed"] is True
        overview, setup = [(await hub.get(path)).text for path in ("/", "/setup")]
        assert "No delivery told of a push of 127.0.0.1" in overview
        assert "1 found so far; 1 repositories looked at" in setup


async def test_a_forge_that_says_no_is_told_about_and_asked_again(gitea: World) -> None:
    gitea.git.fail_next += [403] * 4
    async with gitea.hub() as hub:
        repositories = [{"url": gitea.clone_url("acme/shop"), "ref": "main"}]
        body = {"name": "server", "repositories": repositories, "lease_seconds": 3600}
        await hub.post("/v1/subscriptions", json=body)
        found = await _recovered(hub)
        assert "403" in found["troubles"][0]
        assert gitea.forge.token not in str(found)
        overview, setup = [(await hub.get(path)).text for path in ("/", "/setup")]
        assert "does not tell what was missed" in overview
        assert "403" in setup
        gitea.git.fail_next.clear()
        assert (await _recovered(hub))["troubles"] == []


async def test_without_a_token_no_forge_is_asked(gitea: World) -> None:
    async with gitea.hub(gitea.settings(api_token="")) as hub:
        refused = await hub.post("/v1/recover", json={})
        assert refused.status_code == 409
        assert "api_token_file" in refused.json()["next"]
        assert gitea.git.requests == []
