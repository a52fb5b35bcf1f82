"""Several hub processes on one Redis: who is killed is replaced, and nothing is lost."""

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from directcd.demo.world import free_ports
from tests.support.deliveries import SECRET, SHOP, Post, push
from tests.support.receivers import Received, Receiver, Reply, receiver
from tests.support.redis_servers import RedisServer, single

CONFIG = """
[hub]
listen = "127.0.0.1:{port}"
data = "{data}"
redis = "{redis}"
callback_allowed_networks = ["127.0.0.0/8"]
[hub.sources.main]
provider = "github"
secrets = ["{secret}"]
"""
EVENTS = 120
HUBS = 3


class Hub:
    """A hub's process, which can be killed and started again."""

    def __init__(self, directory: Path, redis: str) -> None:
        [port] = free_ports(1)
        directory.mkdir()
        self.url = f"http://127.0.0.1:{port}"
        self._file = directory / "directcd.toml"
        self._file.write_text(
            CONFIG.format(port=port, data=directory / "data", redis=redis, secret=SECRET.decode())
        )
        self._log = directory / "log"
        self.start()

    def start(self) -> None:
        """Start it (again)."""
        command = [sys.executable, "-m", "directcd", "hub", "-c", str(self._file)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait(10)

    async def ready(self, client: httpx.AsyncClient) -> None:
        """Wait until it answers."""
        async with asyncio.timeout(20):
            while True:
                try:
                    await client.get(f"{self.url}/livez")
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                else:
                    return


@contextmanager
def hubs(directory: Path, redis: RedisServer, number: int) -> Iterator[list[Hub]]:
    """So many hubs on one Redis."""
    with ExitStack() as stack:
        found = []
        for one in range(number):
            found.append(Hub(directory / f"hub{one}", redis.url))
            stack.callback(found[-1].kill)
        yield found


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis."""
    with single(tmp_path / "redis") as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client."""
    async with httpx.AsyncClient() as found:
        yield found


async def until(shop: Receiver, commits: set[str]) -> None:
    """Wait until the receiver has taken all of these."""
    async with asyncio.timeout(90):
        while not commits <= {one.after for one in shop.taken}:
            await asyncio.sleep(0.05)


def body(url: str) -> dict[str, Any]:
    """A subscription with a callback."""
    return {
        "name": "s1",
        "repositories": [{"url": SHOP}],
        "lease_seconds": 3600,
        "deliver": {"mode": "callback", "url": url},
    }


@pytest.mark.timeout(150)
async def test_killed_hubs_are_replaced_and_nothing_is_lost(
    tmp_path: Path, redis: RedisServer, client: httpx.AsyncClient
) -> None:
    """Three hubs, each killed once, so the one that posts, too; one answer in ten is a 500."""
    chance = random.Random(1)  # noqa: S311 - the same failures at every run
    commits = [f"{number:040x}" for number in range(1, EVENTS + 1)]

    def answer(_: Received) -> Reply:
        return Reply(500 if chance.random() < 0.1 else 200)

    with hubs(tmp_path, redis, HUBS) as running:
        async with receiver(answer) as shop:
            await asyncio.gather(*(hub.ready(client) for hub in running))
            await client.post(f"{running[0].url}/v1/subscriptions", json=body(shop.url))
            for number, hub in enumerate(running):
                first, last = number * EVENTS // HUBS, (number + 1) * EVENTS // HUBS
                await _push(client, running, commits[first:last])
                await until(shop, {commits[first + 5]})
                hub.kill()
                hub.start()
            await until(shop, set(commits))
    taken = list(dict.fromkeys(one.after for one in shop.taken))
    assert taken == commits
    assert len({one.headers["webhook-id"] for one in shop.taken}) == EVENTS


async def _push(client: httpx.AsyncClient, running: list[Hub], commits: list[str]) -> None:
    for commit in commits:
        await _post(client, running, push(commit))


async def _post(client: httpx.AsyncClient, running: list[Hub], delivery: Post) -> None:
    for hub in running:
        try:
            answer = await client.post(
                f"{hub.url}/webhooks/github/main", content=delivery.body, headers=delivery.headers
            )
        except httpx.TransportError:
            continue
        assert answer.status_code == 202
        return
    raise AssertionError("no hub answers")
