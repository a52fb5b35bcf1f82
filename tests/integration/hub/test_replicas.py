"""Several hubs on one Redis: any of them receives, any of them serves, and all of them know."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.deliveries import SHOP, A, B, push
from tests.support.hubs import hub_client, post, settings, subscribe, told
from tests.support.redis_servers import RedisServer, single

Hubs = tuple[httpx.AsyncClient, httpx.AsyncClient]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    with single(tmp_path / "redis") as started:
        yield started


@pytest.fixture
async def hubs(server: RedisServer, tmp_path: Path) -> AsyncIterator[Hubs]:
    """Two hubs on it, each with its own data."""
    async with (
        hub_client(settings(tmp_path / "one", redis=server.url)) as one,
        hub_client(settings(tmp_path / "two", redis=server.url)) as two,
    ):
        yield one, two


async def test_who_subscribes_at_one_hub_is_known_at_the_other_at_once(hubs: Hubs) -> None:
    """The very next push there is told to match, and is heard at either."""
    one, two = hubs
    start = await subscribe(one, SHOP)
    answer = (await post(two, push(A))).json()
    assert (answer["verdict"], answer["matched"]) == ("matched", ["s1"])
    for hub in hubs:
        assert [data["after"] for data in await told(hub, SHOP, start)] == [A]


async def test_a_subscriber_is_told_where_redis_publishes(hubs: Hubs) -> None:
    """It may listen there itself."""
    body = {"name": "s1", "repositories": [{"url": SHOP}]}
    created = (await hubs[0].post("/v1/subscriptions", json=body)).json()
    assert created["channels"] == ["directcd:{log}:events"]


async def test_what_one_hub_has_received_is_a_repeat_at_the_other(hubs: Hubs) -> None:
    """A forge's second attempt may end at any of them."""
    one, two = hubs
    start = await subscribe(one, SHOP)
    first = await post(one, push(A))
    again = await post(two, push(A))
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["verdict"] == "duplicate"
    assert len(await told(two, SHOP, start)) == 1


async def test_every_hub_answers_for_all_deliveries(hubs: Hubs) -> None:
    """The numbers are the log's, and so are the explanations."""
    one, two = hubs
    inspect = (await post(one, push(A))).json()["inspect"]
    await post(two, push(B, A))
    found = (await two.get(inspect)).json()
    assert found["explanation"]["event"]["after"] == A
    listed = [(await hub.get("/v1/deliveries")).json()["deliveries"] for hub in hubs]
    assert listed[0] == listed[1]
    assert [one["number"] for one in listed[0]] == [2, 1]


async def test_a_subscription_that_one_hub_pauses_is_paused_at_the_other(hubs: Hubs) -> None:
    """Within half a second, and at once for whoever asks for it."""
    one, two = hubs
    await subscribe(one, SHOP)
    [subscription] = (await one.get("/v1/subscriptions")).json()["subscriptions"]
    paused = await two.post(f"/v1/subscriptions/{subscription['id']}/pause")
    assert paused.status_code == 200
    answer = (await post(two, push(A))).json()
    assert [near["failed"] for near in answer["nearest"]] == ["paused"]
    renewed = await one.put(
        f"/v1/subscriptions/{subscription['id']}/lease", json={"lease_seconds": 60}
    )
    assert renewed.json()["paused"]
