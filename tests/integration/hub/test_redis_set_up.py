"""What share-redis.md has Redis, its replica and its Sentinels read, as it stands there."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.events import record
from tests.support.pages.blocks import blocks
from tests.support.redis_logs import opened, tell_until_taken
from tests.support.redis_servers import RedisServer, sentinel_url, wait_for

PAGE = Path(__file__).parents[3] / "docs/how-to/share-redis.md"
ADDRESS = "10.0.0.1 6379"


def written(kind: str) -> list[str]:
    """The page's blocks of a kind."""
    return [block.text for block in blocks(PAGE) if block.kind == kind]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[ExitStack]:
    """What is started ends with the test."""
    (tmp_path / "users.acl").write_text("".join(written("acl")))
    with ExitStack() as stack:
        yield stack


def started(stack: ExitStack, place: Path, config: str, *options: str) -> RedisServer:
    """A server with a configuration of the page."""
    config = config.replace("/etc/redis", str(place.parent))
    server = RedisServer(place, *options, config=config)
    stack.callback(server.kill)
    return server


async def test_a_hub_lacks_nothing_with_the_files_of_the_page(
    tmp_path: Path, servers: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    """It is let in, and has no advice."""
    caplog.set_level(logging.WARNING)
    server = started(servers, tmp_path / "one", written("conf")[0])
    async with opened(server.url.replace("//", "//hub:PASSWORD@")) as log:
        await log.append(record(), [])
        assert await log.check() == ""
    assert caplog.records == []


async def test_sentinels_and_a_replica_are_let_in_with_the_files_of_the_page(
    tmp_path: Path, servers: ExitStack
) -> None:
    """The master takes nothing without its replica, and the Sentinels know both."""
    common = "".join(written("conf"))
    master = started(servers, tmp_path / "m", common)
    started(servers, tmp_path / "r", f"{common}replicaof 127.0.0.1 {master.port}\n")
    watching = written("sentinel")[0].replace(ADDRESS, f"127.0.0.1 {master.port}")
    watchers = [
        started(servers, tmp_path / f"s{number}", watching, "--sentinel") for number in range(3)
    ]
    wait_for(lambda: all(map(knows_all, watchers)), "the Sentinels to meet")
    url = sentinel_url(watchers).replace("//", "//hub:PASSWORD@")
    async with opened(url) as log:
        await tell_until_taken(log, "a")  # as soon as the replica keeps up
        assert await log.check() == ""


def knows_all(sentinel: RedisServer) -> bool:
    """Whether it has met the replica and the others."""
    with sentinel.client() as client:
        known = client.sentinel_master("hub")
    return bool(known["num-slaves"] >= 1 and known["num-other-sentinels"] == 2)
