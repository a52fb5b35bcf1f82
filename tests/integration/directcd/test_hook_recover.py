"""`directcd hook recover` against a real hub and a forge with real repositories."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.recovering import World, world
from tests.support.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.anyio


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[World]:
    """A Gitea with one repository."""
    with world("gitea", tmp_path) as made:
        made.repository("acme/shop")
        yield made


async def _recover(forge: World, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "directcd", "hook", "recover", *words]
    hub = ["--hub", f"http://127.0.0.1:{forge.port}"]
    run = subprocess.run
    return await asyncio.to_thread(run, [*command, *hub], capture_output=True, text=True)


async def _looked_at(hub: httpx.AsyncClient) -> None:
    """Wait until the hub has looked by itself: its next look is in minutes."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            [source] = (await hub.get("/v1/sources")).json()["sources"]
            if source["recovery"] and source["recovery"]["repositories"]:
                return
            await asyncio.sleep(0.05)


async def test_what_was_missed_is_told_in_numbers(forge: World) -> None:
    async with forge.hub() as hub:
        repositories = [{"url": forge.clone_url("acme/shop"), "ref": "main"}]
        body = {"name": "server", "repositories": repositories, "lease_seconds": 3600}
        await hub.post("/v1/subscriptions", json=body)
        await _looked_at(hub)
        done = await _recover(forge)
        assert (done.returncode, done.stdout) == (0, "")
        assert "main: 1 repository" in done.stderr
        assert "nothing was missed" in done.stderr
        forge.commit("acme/shop")
        done = await _recover(forge, "--json")
        [source] = json.loads(done.stdout)["sources"]
        assert (source["synthesised"], source["troubles"]) == (1, [])


async def test_a_forge_that_could_not_be_asked_is_said_with_the_exit_code(forge: World) -> None:
    async with forge.hub() as hub:
        repositories = [{"url": forge.clone_url("acme/nowhere"), "ref": "main"}]
        body = {"name": "server", "repositories": repositories, "lease_seconds": 3600}
        await hub.post("/v1/subscriptions", json=body)
        done = await _recover(forge)
        assert done.returncode == 1
        assert "404" in done.stderr
        assert forge.forge.token not in done.stderr


async def test_a_hub_without_a_token_says_what_to_set(forge: World) -> None:
    async with forge.hub(forge.settings(api_token="")):
        done = await _recover(forge)
        assert done.returncode == 1
        assert "api_token_file" in done.stderr
        done = await _recover(forge, "--source", "other")
        assert "other" in done.stderr
