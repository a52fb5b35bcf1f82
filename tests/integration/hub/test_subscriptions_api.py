"""`/v1/subscriptions`: subscribe, renew, list, forget; and what survives a restart."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.deliveries import SHOP, A, B, push
from tests.support.hubs import hub_client, post, settings

BODY = {"name": "s1", "repositories": [{"url": SHOP, "ref": "main"}], "lease_seconds": 60}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A hub without a socket."""
    async with hub_client(settings(tmp_path)) as client:
        yield client


async def subscribe(hub: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    """Subscribe and return the answer."""
    answer = await hub.post("/v1/subscriptions", json=BODY | changes)
    assert answer.status_code == 201
    created: dict[str, Any] = answer.json()
    return created


async def test_a_subscription_can_be_looked_at(hub: httpx.AsyncClient) -> None:
    """The hub shows what it understood: keys and the full ref."""
    created = await subscribe(hub)
    [repository] = (await hub.get(f"/v1/subscriptions/{created['id']}")).json()["repositories"]
    assert repository == {
        "url": SHOP,
        "ref": "refs/heads/main",
        "keys": ["github.com/acme/shop"],
    }
    listed = (await hub.get("/v1/subscriptions")).json()["subscriptions"]
    assert [one["name"] for one in listed] == ["s1"]


async def test_the_same_name_replaces_and_keeps_its_id(hub: httpx.AsyncClient) -> None:
    """A restarted server takes its own subscription over."""
    first = await subscribe(hub)
    second = await subscribe(hub, repositories=[{"url": "https://github.com/acme/other"}])
    assert first["id"] == second["id"]
    assert (await post(hub, push(A))).json()["verdict"] == "no-match"


async def test_a_lease_is_renewed_from_now(hub: httpx.AsyncClient) -> None:
    """The new end is later than the old one."""
    created = await subscribe(hub)
    lease = f"/v1/subscriptions/{created['id']}/lease"
    renewed = (await hub.put(lease, json={"lease_seconds": 3600})).json()
    assert renewed["expires_at"] > created["expires_at"]
    assert (await hub.put(lease, json={"lease_seconds": 0})).status_code == 400


async def test_an_ended_lease_no_longer_counts(hub: httpx.AsyncClient) -> None:
    """The push is told who would have wanted it, and that it went away."""
    await subscribe(hub, lease_seconds=0.000001)
    answer = (await post(hub, push(A))).json()
    assert (answer["verdict"], answer["nearest"][0]["failed"]) == ("no-match", "lease")
    assert "start s1 again" in answer["next"]


async def test_a_forgotten_subscription_is_unknown(hub: httpx.AsyncClient) -> None:
    """Every call about it answers 404, deleting it again included."""
    url = f"/v1/subscriptions/{(await subscribe(hub))['id']}"
    assert (await hub.delete(url)).status_code == 204
    answers = [
        await hub.delete(url),
        await hub.get(url),
        await hub.put(f"{url}/lease", json={"lease_seconds": 60}),
    ]
    assert {answer.json()["code"] for answer in answers} == {"unknown-subscription"}
    assert (await post(hub, push(A))).json()["verdict"] == "no-match"


@pytest.mark.parametrize(
    "change",
    [
        {"repositories": [{"url": "shop"}]},
        {"repositories": []},
        {"name": ""},
        {"name": "a\nb"},
        {"lease_seconds": -1},
        {"surprise": 1},
        {"deliver": {"mode": "pigeon"}},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_a_malformed_subscription_is_refused(
    hub: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    """A problem, and nothing is subscribed."""
    answer = await hub.post("/v1/subscriptions", json=BODY | change)
    assert answer.status_code == 400
    assert answer.json()["next"]
    assert (await hub.get("/v1/subscriptions")).json() == {"subscriptions": []}


async def test_subscriptions_and_repeats_survive_a_restart(tmp_path: Path) -> None:
    """The log holds both."""
    delivery = push(A)
    async with hub_client(settings(tmp_path)) as hub:
        await subscribe(hub)
        await post(hub, delivery)
    async with hub_client(settings(tmp_path)) as hub:
        assert (await post(hub, delivery)).json()["verdict"] == "duplicate"
        assert (await post(hub, push(B, A))).json()["matched"] == ["s1"]
