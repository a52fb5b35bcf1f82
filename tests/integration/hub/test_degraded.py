"""`directcd hub` whose Redis is away: it takes deliveries, says so, and hands them on later."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from directcd.demo.world import free_ports
from tests.support.commands import started, terminate
from tests.support.deliveries import SECRET, A, B, push
from tests.support.redis_servers import NO_PERSISTENCE, RedisServer, wait_for

CONFIGURATION = """
[hub]
listen = "127.0.0.1:{hub}"
data = "{data}"
redis = "redis://:hunter2@127.0.0.1:{redis}"
[hub.sources.main]
provider = "github"
secrets = ["{secret}"]
"""


class World:
    """A hub to be started, and a Redis that is not there yet."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        hub, self.port = free_ports(2)
        self.file = directory / "directcd.toml"
        values = {"hub": hub, "redis": self.port, "data": directory / "hub"}
        self.file.write_text(CONFIGURATION.format(**values, secret=SECRET.decode()))
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{hub}")

    @contextmanager
    def hub(self) -> Iterator[Any]:
        """The running hub's process."""
        command = [sys.executable, "-m", "directcd", "hub", "-c", str(self.file)]
        with started(command, "listening") as process:
            yield process

    @contextmanager
    def redis(self) -> Iterator[RedisServer]:
        """The running Redis."""
        options = (*NO_PERSISTENCE, "--requirepass", "hunter2")
        server = RedisServer(self.directory / "redis", *options, port=self.port)
        try:
            yield server
        finally:
            server.kill()

    def post(self, commit: str) -> httpx.Response:
        """Deliver the push of a commit."""
        delivery = push(commit)
        return self.http.post(
            "/webhooks/github/main", content=delivery.body, headers=delivery.headers
        )

    def ready(self) -> dict[str, str]:
        """What `/readyz` says; it is ready."""
        answer = self.http.get("/readyz")
        assert answer.status_code == 200
        found: dict[str, str] = answer.json()
        return found

    def wait_until_well(self) -> None:
        """Wait until it is no longer degraded."""
        wait_for(lambda: self.ready()["status"] == "ok", "the hub to be well")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A hub to be started, and a Redis that is not there yet."""
    found = World(tmp_path)
    with found.http:
        yield found


def test_a_hub_without_its_redis_takes_deliveries_and_hands_them_on(world: World) -> None:
    """Ready, but degraded; and a subscriber hears of them when Redis comes up."""
    with world.hub():
        assert world.post(A).status_code == 202
        degraded = world.ready()
        assert degraded["status"] == "degraded"
        assert re.match(
            r"Redis takes nothing since .*cannot be reached.*; 1 deliveries .* wait",
            degraded["reason"],
        )
        assert "hunter2" not in str(degraded)
        with world.redis():
            world.wait_until_well()
            assert world.post(B).status_code == 202
            deliveries = world.http.get("/v1/deliveries").json()["deliveries"]
            assert [one["number"] for one in deliveries] == [2, 1]
            assert A in str(deliveries[1])


def test_what_waits_survives_a_restart_of_the_hub(world: World) -> None:
    """Redis came up in between, or after."""
    with world.hub() as process:
        assert world.post(A).status_code == 202
        assert terminate(process) == 0
    with world.redis(), world.hub():
        world.wait_until_well()
        assert len(world.http.get("/v1/deliveries").json()["deliveries"]) == 1


def test_a_redis_that_goes_away_and_comes_back_is_no_news_to_forges(world: World) -> None:
    """They get their 202 all the time."""
    with world.hub():
        with world.redis():
            world.wait_until_well()
            assert world.post(A).status_code == 202
        assert world.post(B).status_code == 202
        assert world.ready()["status"] == "degraded"
        with world.redis():
            world.wait_until_well()
            assert B in str(world.http.get("/v1/deliveries").json()["deliveries"][0])
