"""Looks that outages bring about, and who of several hubs looks."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import httpx
import pytest
from pydantic import SecretStr

from directcd.demo.world import free_ports
from hub.forges.opening import forge_of
from hub.forges.values import Place
from tests.support.commands import started
from tests.support.forge_apis.subjects import WEBHOOK_SECRET, closing
from tests.support.hubs import told
from tests.support.recovering import MAIN, World, world
from tests.support.redis_servers import RedisServer, single
from tests.support.waiting import DEADLINE_SECONDS, eventually

SHOP = "acme/shop"

pytestmark = pytest.mark.anyio


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[World]:
    """A Gitea with one repository."""
    with world("gitea", tmp_path) as made:
        made.repository(SHOP)
        yield made


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    with single(tmp_path / "redis", "--appendonly", "yes") as server:
        yield server


async def _follow(forge: World, hub: httpx.AsyncClient) -> str:
    """Follow the main branch; the cursor, once the hub has looked."""
    repositories = [{"url": forge.clone_url(SHOP), "ref": "main"}]
    body = {"name": "server", "repositories": repositories, "lease_seconds": 3600}
    cursor: str = (await hub.post("/v1/subscriptions", json=body)).json()["cursor"]
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            [source] = (await hub.get("/v1/sources")).json()["sources"]
            if source["recovery"] and source["recovery"]["repositories"]:
                return cursor
            await asyncio.sleep(0.05)


async def _hears(forge: World, hub: httpx.AsyncClient, after: str) -> list[str]:
    """Wait until the tip was told of; all that was."""
    tip = forge.tips[SHOP, MAIN]
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            heard = [one["after"] for one in await told(hub, forge.clone_url(SHOP), after)]
            if tip in heard:
                return heard
            await asyncio.sleep(0.05)


@contextmanager
def _hub(forge: World, redis: RedisServer, place: Path, port: int) -> Iterator[Popen[str]]:
    """A hub's process."""
    file = place / f"{port}.toml"
    file.write_text(
        f"""
        [hub]
        listen = "127.0.0.1:{port}"
        data = "{place / str(port)}"
        redis = "{redis.url}"
        [hub.sources.main]
        provider = "gitea"
        secrets = ["{WEBHOOK_SECRET}"]
        base_url = "{forge.forge.web_url}"
        api_url = "{forge.forge.url}"
        api_token = "{forge.forge.token}"
        """
    )
    command = [sys.executable, "-m", "directcd", "hub", "-c", str(file)]
    with started(command, "listening") as process:
        yield process


async def test_a_killed_hubs_work_is_taken_over(
    forge: World, redis: RedisServer, tmp_path: Path
) -> None:
    """The webhook leads to the dead one, so what was pushed reaches nobody."""
    first, second = free_ports(2)
    with _hub(forge, redis, tmp_path, first) as dying:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{first}") as hub:
            cursor = await _follow(forge, hub)
        with _hub(forge, redis, tmp_path, second):
            dying.kill()
            forge.commit(SHOP)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{second}") as hub:
                assert await _hears(forge, hub, cursor) == [forge.tips[SHOP, MAIN]]


async def test_one_of_two_hubs_looks(forge: World, redis: RedisServer, tmp_path: Path) -> None:
    shared = {"redis": SecretStr(redis.url)}
    other = forge.settings().model_copy(update={"data": tmp_path / "other", **shared})
    [port] = free_ports(1)
    there = World(forge.provider, forge.root, forge.git, forge.forge, port, tmp_path / "other")
    own = forge.settings().model_copy(update=shared)
    async with forge.hub(own) as one:
        cursor = await _follow(forge, one)
        asked = len(forge.git.requests)
        async with there.hub(other):  # one that begins looks at once
            forge.commit(SHOP)
            await one.post("/v1/recover", json={})
            assert await _hears(forge, one, cursor) == [forge.tips[SHOP, MAIN]]
            assert len(forge.git.requests) - asked == 2, "once, and once more to be sure"


async def test_when_the_log_is_back_the_forge_is_asked(
    forge: World, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "hub.recovery")
    settings = forge.settings().model_copy(update={"redis": SecretStr(redis.url)})
    async with forge.hub(settings) as hub:
        cursor = await _follow(forge, hub)
        redis.stop()
        forge.commit(SHOP)
        await eventually(lambda: "the log takes no sign of life" in caplog.messages)
        await asyncio.to_thread(redis.start)
        assert await _hears(forge, hub, cursor) == [forge.tips[SHOP, MAIN]]


async def test_a_renamed_repository_is_compared_under_all_its_names(forge: World) -> None:
    async with closing(forge_of("main", forge.settings().sources["main"])) as api:
        await api.create_hook(Place(SHOP), forge.hook_url, WEBHOOK_SECRET)
    async with forge.hub() as hub:
        cursor = await _follow(forge, hub)
        await forge.push(SHOP)
        forge.rename(SHOP, "acme/store")
        await forge.push("acme/store")
        assert (await hub.post("/v1/recover", json={})).json()["sources"][0]["synthesised"] == 0
        forge.commit("acme/store")
        assert (await hub.post("/v1/recover", json={})).json()["sources"][0]["synthesised"] == 1
        news = await told(hub, forge.clone_url(SHOP), cursor)
        assert [one["after"] for one in news][-1] == forge.tips["acme/store", MAIN]
        assert len({one["after"] for one in news}) == len(news) == 3


async def test_how_long_no_hub_was_there_is_known(forge: World) -> None:
    async with forge.hub() as hub:
        cursor = await _follow(forge, hub)
    forge.age_presence()
    forge.commit(SHOP)
    async with forge.hub() as hub:
        await _hears(forge, hub, cursor)
        [delivery] = (await hub.get("/v1/deliveries")).json()["deliveries"]
        assert "the hub was away" in json.dumps(delivery["explanation"])


async def test_the_schedule_is_kept_however_often_leases_are_renewed(forge: World) -> None:
    async with forge.hub(forge.settings(recover_interval_seconds=3)) as hub:
        cursor = await _follow(forge, hub)
        [subscription] = (await hub.get("/v1/subscriptions")).json()["subscriptions"]
        forge.commit(SHOP)
        tip = forge.tips[SHOP, MAIN]
        async with asyncio.timeout(DEADLINE_SECONDS):
            while tip not in str(await told(hub, forge.clone_url(SHOP), cursor)):
                lease = {"lease_seconds": 3600}
                await hub.put(f"/v1/subscriptions/{subscription['id']}/lease", json=lease)
                await asyncio.sleep(0.05)
