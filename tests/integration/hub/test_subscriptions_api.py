"""`/v1/subscriptions`: subscribe, renew, list, forget; and what survives a restart."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from hub.log.sqlite import SqliteLog
from hub.log.values import SubscriptionRow
from hub.settings import HubSettings
from tests.support.deliveries import SHOP, A, B, push
from tests.support.hubs import hub_client, post, settings
from tests.support.redis_servers import RedisServer, single
from tests.support.waiting import DEADLINE_SECONDS, PAUSE_SECONDS

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
    created = await subscribe(hub, lease_seconds=0.000001)
    answer = (await post(hub, push(A))).json()
    assert (answer["verdict"], answer["nearest"][0]["failed"]) == ("no-match", "lease")
    assert "start s1 again" in answer["next"]
    lease = answer["next"].rpartition(" ")[2]
    assert (await hub.get(f"/v1/subscriptions/{created['id']}")).json()["expired"] is True
    assert (await hub.put(lease, json={"lease_seconds": 60})).json()["expired"] is False


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


async def test_a_paused_subscription_matches_nothing_until_it_is_resumed(
    hub: httpx.AsyncClient,
) -> None:
    """Whoever pushes is told that it is paused, and how it goes on."""
    url = f"/v1/subscriptions/{(await subscribe(hub))['id']}"
    assert (await hub.post(f"{url}/pause")).json()["paused"] is True
    answer = (await post(hub, push(A))).json()
    assert (answer["verdict"], answer["nearest"][0]["failed"]) == ("no-match", "paused")
    assert f"{url}/resume" in answer["next"]
    assert (await hub.post(f"{url}/resume")).json()["paused"] is False
    assert (await post(hub, push(B, A))).json()["matched"] == ["s1"]
    for change in ("pause", "resume"):
        assert (await hub.post(f"/v1/subscriptions/sub_x/{change}")).status_code == 404


async def test_subscribing_again_does_not_resume(hub: httpx.AsyncClient) -> None:
    """A person paused it; every server subscribes again when it starts."""
    created = await subscribe(hub)
    await hub.post(f"/v1/subscriptions/{created['id']}/pause")
    assert (await subscribe(hub))["paused"] is True


async def test_a_callbacks_secret_is_told_once(hub: httpx.AsyncClient) -> None:
    """By the answer that made it; the same URL keeps it, and no other answer has it."""
    deliver = {"mode": "callback", "url": "https://hooks.example.com/x"}
    created = await subscribe(hub, deliver=deliver)
    secret = created["secret"]
    assert secret.startswith("whsec_")
    assert created["deliver"] == deliver
    again = await subscribe(hub, deliver=deliver)
    shown = await hub.get(f"/v1/subscriptions/{created['id']}")
    listed = await hub.get("/v1/subscriptions")
    assert all(secret not in text for text in (str(again), shown.text, listed.text))
    assert "secret" in await subscribe(hub, deliver=deliver | {"url": "https://other.example.com"})
    own = await subscribe(hub, deliver=deliver | {"secret": secret})
    assert "secret" not in own


async def test_paths_narrow_a_subscription(hub: httpx.AsyncClient) -> None:
    """They are shown as understood."""
    wanted = {"url": SHOP, "ref": "release/*", "paths": ["services/shop/", "go.mod"]}
    [shown] = (await subscribe(hub, repositories=[wanted]))["repositories"]
    assert shown["ref"] == "refs/heads/release/*"
    assert shown["paths"] == ["services/shop/**", "go.mod"]


async def test_a_subscription_with_an_old_random_id_works_until_it_is_replaced(
    tmp_path: Path,
) -> None:
    """Ids come from names now; a name never has two subscriptions."""
    log = SqliteLog(tmp_path)
    await log.open()
    body = {"repositories": [{"url": SHOP, "ref": ""}]}
    later = datetime.now(UTC) + timedelta(hours=1)
    await log.put_subscription(SubscriptionRow("sub_0123", "s1", body, later), None)
    await log.close()
    async with hub_client(settings(tmp_path)) as hub:
        assert (await post(hub, push(A))).json()["matched"] == ["s1"]
        created = await subscribe(hub)
        [listed] = (await hub.get("/v1/subscriptions")).json()["subscriptions"]
        assert listed["id"] == created["id"] != "sub_0123"
        assert (await post(hub, push(B, A))).json()["matched"] == ["s1"]


async def test_heads_say_where_refs_stand(hub: httpx.AsyncClient) -> None:
    """Of one repository by any of its URLs, or of all; a deleted ref stands nowhere."""
    await post(hub, push(A))
    await post(hub, push(B, ref="refs/heads/dev"))
    await post(hub, push("0" * 40, B, ref="refs/heads/dev"))
    await post(hub, push(A, url="https://github.com/acme/shop2.git"))
    query = {"repository": "git@github.com:Acme/Shop"}
    heads = (await hub.get("/v1/heads", params=query)).json()["heads"]
    assert [(head["ref"], head["after"]) for head in heads] == [
        ("refs/heads/dev", None),
        ("refs/heads/main", A),
    ]
    assert len((await hub.get("/v1/heads")).json()["heads"]) == 3
    assert len((await hub.get("/v1/heads", params={"limit": 1})).json()["heads"]) == 1
    assert (await hub.get("/v1/heads", params={"repository": "shop"})).status_code == 400


def on_redis(tmp_path: Path, server: RedisServer, name: str) -> HubSettings:
    """One of several hubs on a Redis."""
    return settings(tmp_path / name, redis=SecretStr(server.url))


async def until(hub: httpx.AsyncClient, names: list[str]) -> None:
    """Wait until a hub knows these subscriptions."""
    async with asyncio.timeout(15):
        while await known(hub) != names:
            await asyncio.sleep(0.02)


async def known(hub: httpx.AsyncClient) -> list[str]:
    """The subscriptions a hub knows, none while it cannot say."""
    answer = await hub.get("/v1/subscriptions")
    return [one["name"] for one in answer.json().get("subscriptions", ())]


async def test_hubs_on_one_log_share_their_subscriptions(tmp_path: Path) -> None:
    """Subscribed twice at once is one; what one hub changes counts at the other."""
    with single(tmp_path / "redis") as server:
        async with (
            hub_client(on_redis(tmp_path, server, "one")) as one,
            hub_client(on_redis(tmp_path, server, "two")) as two,
        ):
            first, second = await asyncio.gather(subscribe(one), subscribe(two))
            assert first["id"] == second["id"]
            assert (await post(two, push(A))).json()["matched"] == ["s1"]
            # known at once, though nobody has told the other hub yet
            other = await subscribe(one, name="s2")
            shown = await two.get(f"/v1/subscriptions/{other['id']}")
            assert shown.json()["name"] == "s2"
            await two.post(f"/v1/subscriptions/{other['id']}/pause")
            lease = {"lease_seconds": 60}
            renewed = await one.put(f"/v1/subscriptions/{other['id']}/lease", json=lease)
            assert renewed.json()["paused"] is True
            await one.delete(f"/v1/subscriptions/{first['id']}")
            await until(two, ["s2"])


async def repeated(hub: httpx.AsyncClient) -> dict[str, Any]:
    """The delivery that came twice, once it can be looked up: it may have waited on the disk."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            answer = await hub.get("/v1/deliveries", params={"verdict": "duplicate"})
            found: list[dict[str, Any]] = answer.json()["deliveries"]
            if found:
                return found[0]
            await asyncio.sleep(PAUSE_SECONDS)


async def test_a_hub_that_does_not_know_its_subscribers_yet_says_so(tmp_path: Path) -> None:
    """Redis is away when it starts: nobody is told that nobody wants the push."""
    with single(tmp_path / "redis", "--appendonly", "yes") as server:
        hub_settings = on_redis(tmp_path, server, "one")
        async with hub_client(hub_settings) as hub:
            await subscribe(hub)
        server.stop()
        async with hub_client(hub_settings) as hub:
            answer = await post(hub, push(A))
            assert answer.status_code == 202
            assert "not known yet" in answer.json()["reason"]
            await post(hub, push(A))
            assert (await hub.get("/v1/subscriptions")).status_code == 503
            assert (await hub.post("/v1/subscriptions", json=BODY)).status_code == 503
            server.start()
            await until(hub, ["s1"])
            assert (await post(hub, push(B, A))).json()["matched"] == ["s1"]
            assert (await repeated(hub))["explanation"]["next"] == "nothing to do"


async def test_a_body_of_another_content_type_is_told_what_to_send(
    hub: httpx.AsyncClient,
) -> None:
    """What curl sends by itself is no JSON to us."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await hub.post("/v1/subscriptions", content='{"name": "s1"}', headers=headers)
    assert answer.status_code == 415
    assert answer.json()["next"] == "send Content-Type: application/json"
