"""Following a hub through its Redis: the same pushes, and reports where the hub looks for them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from cd4sources.http import Unreachable
from cd4sources.notifications import Notification
from cd4sources.reporting import StageReport
from directcd.redis_hub import RedisHub, Subscriber
from hub.subscriptions import id_of
from hub.wants import make_want
from tests.support.deliveries import SHOP, A, B, C, push
from tests.support.hubs import hub_client, post, settings
from tests.support.redis_servers import RedisServer, single
from tests.support.waiting import DEADLINE_SECONDS, eventually


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    with single(tmp_path / "redis") as started:
        yield started


class Told:
    """What a server was told."""

    def __init__(self) -> None:
        self.notifications: list[Notification] = []
        self.missed: list[str] = []

    @property
    def commits(self) -> list[str | None]:
        """The commits that were announced, in order."""
        return [one.after for one in self.notifications]


@asynccontextmanager
async def following(url: str) -> AsyncIterator[Told]:
    """Follow a Redis, once the first connection has been tried."""
    told = Told()
    hub = RedisHub(url, Subscriber("s1", (make_want(SHOP, "main"),)))
    task = asyncio.create_task(hub.follow(told.notifications.append, told.missed.append))
    try:
        yield told
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
async def followed(
    server: RedisServer, tmp_path: Path
) -> AsyncIterator[tuple[httpx.AsyncClient, Told]]:
    """A hub, and a server that follows its Redis and has heard of one push."""
    hub_settings = settings(tmp_path / "hub", redis=server.url)
    async with hub_client(hub_settings) as hub, following(server.url) as told:
        await eventually(lambda: "reconnect" in told.missed)
        await post(hub, push(A))
        await eventually(lambda: told.commits == [A])
        yield hub, told


async def test_a_push_at_the_hub_is_heard_through_redis(
    followed: tuple[httpx.AsyncClient, Told],
) -> None:
    """With its keys, its commit and its trace."""
    [notification] = followed[1].notifications
    assert notification.keys == {"github.com/acme/shop"}
    assert notification.traceparent


async def test_who_follows_through_redis_is_a_subscriber_like_any_other(
    followed: tuple[httpx.AsyncClient, Told],
) -> None:
    """The sender of a push is told who takes it, and who would if it were another ref."""
    hub, _ = followed
    await eventually_matched(hub)
    answer = (await post(hub, push(C, ref="refs/heads/other"))).json()
    assert [(near["subscription"], near["failed"]) for near in answer["nearest"]] == [("s1", "ref")]


async def eventually_matched(hub: httpx.AsyncClient) -> None:
    """Return when the follower is among the hub's subscriptions, and takes a push."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (await hub.get("/v1/subscriptions")).json()["subscriptions"]:
            await asyncio.sleep(0.01)
    assert (await post(hub, push(B, A))).json()["matched"] == ["s1"]


async def test_pushes_while_the_connection_is_cut_are_caught_up_with(
    server: RedisServer, followed: tuple[httpx.AsyncClient, Told]
) -> None:
    """And everything is looked at once more."""
    hub, told = followed
    server.do("CLIENT", "KILL", "TYPE", "pubsub")
    await post(hub, push(B, A))
    await eventually(lambda: told.commits == [A, B])
    await eventually(lambda: told.missed.count("reconnect") >= 2)


async def test_a_row_that_is_not_understood_is_replaced(server: RedisServer) -> None:
    """Another version may have written it; following must not end for that."""
    row = '{"id":"%s","name":"s1","body":{"wants":[]},"expires_at":"2030-01-01T00:00:00Z"}'
    server.do("HSET", "directcd:{log}:subscriptions", id_of("s1"), row % id_of("s1"))
    async with following(server.url):
        stored = server.do("HGET", "directcd:{log}:subscriptions", id_of("s1"))
        while "repositories" not in str(stored):
            await asyncio.sleep(0.01)
            stored = server.do("HGET", "directcd:{log}:subscriptions", id_of("s1"))


async def test_a_redis_that_lost_everything_is_a_reason_to_look(
    server: RedisServer, followed: tuple[httpx.AsyncClient, Told]
) -> None:
    """Which pushes it has forgotten cannot be known."""
    told = followed[1]
    told.missed.clear()
    server.kill()
    server.start()
    await eventually(lambda: {"gap", "reconnect"} <= set(told.missed))


async def test_a_report_is_part_of_the_hubs_timeline(
    server: RedisServer, followed: tuple[httpx.AsyncClient, Told]
) -> None:
    """The push's trace carries it there."""
    hub, told = followed
    now = datetime.now(UTC)
    trace = told.notifications[0].traceparent
    await RedisHub(server.url).report(
        StageReport(
            target="shop", version="v-1", stage="built", result="ok",
            started_at=now, ended_at=now, traceparent=trace,
        )
    )  # fmt: skip
    timeline = (await hub.get("/v1/targets/shop/timeline")).json()
    assert "built" in str(timeline)
    assert "github.com/acme/shop" in str(timeline)


async def test_the_servers_settings_are_the_hubs_business(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Who follows or reports says nothing of them, least of all with every report."""
    async with following(server.url) as told:
        await eventually(lambda: told.missed)
        now = datetime.now(UTC)
        await RedisHub(server.url).report(
            StageReport(
                target="shop", version=None, stage="built", result="ok",
                started_at=now, ended_at=now, traceparent=None,
            )
        )  # fmt: skip
    assert [one.msg for one in caplog.records if one.levelno >= logging.WARNING] == []


async def test_a_report_that_does_not_arrive_is_tried_again_by_its_sender() -> None:
    """It is told so in its own terms."""
    now = datetime.now(UTC)
    report = StageReport(
        target="shop", version=None, stage="built", result="ok",
        started_at=now, ended_at=now, traceparent=None,
    )  # fmt: skip
    with pytest.raises(Unreachable, match="cannot be reached"):
        await RedisHub("redis://127.0.0.1:1").report(report)
