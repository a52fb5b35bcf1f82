"""Callbacks through the API: subscribing, looking, dead letters."""

import asyncio
import time
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.callbacks import hosts
from hub.callbacks.timing import Timing
from tests.support.deliveries import SHOP, A, B, push
from tests.support.hubs import hub_client, post, serving_hub, settings
from tests.support.receivers import Receiver, Reply, receiver
from tests.support.waiting import eventually

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
async def shop() -> AsyncIterator[Receiver]:
    """A receiver that takes everything, unless told otherwise."""
    async with receiver() as found:
        yield found


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A hub that may call this machine, and gives up at the first failure."""
    changes = {"callback_allowed_networks": LOOPBACK, "callback_retry_seconds": 0}
    async with hub_client(settings(tmp_path, **changes)) as client:
        yield client


def body(url: str, name: str = "s1") -> dict[str, Any]:
    """A subscription with a callback."""
    return {
        "name": name,
        "repositories": [{"url": SHOP}],
        "lease_seconds": 60,
        "deliver": {"mode": "callback", "url": url},
    }


async def subscribe(hub: httpx.AsyncClient, url: str, name: str = "s1") -> dict[str, Any]:
    """Subscribe a callback."""
    answer = await hub.post("/v1/subscriptions", json=body(url, name))
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


async def dead_letters(hub: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    """What is listed."""
    answer = await hub.get("/v1/dead-letters", params=query)
    found: list[dict[str, Any]] = answer.json()["dead_letters"]
    return found


async def buried(hub: httpx.AsyncClient, number: int = 1) -> list[dict[str, Any]]:
    """The dead letters, as soon as there are so many."""
    while len(found := await dead_letters(hub)) < number:
        await asyncio.sleep(0.01)
    return found


async def test_a_push_reaches_the_callback(hub: httpx.AsyncClient, shop: Receiver) -> None:
    """From webhook to receiver; the subscription shows how far it is."""
    created = await subscribe(hub, shop.url)
    shown = (await hub.get(f"/v1/subscriptions/{created['id']}")).json()["callback"]
    assert shown == {
        "url": shop.url,
        "cursor": created["cursor"],
        "failures": 0,
        "failing_since": None,
        "last_error": "",
        "next_attempt_at": None,
    }
    await post(hub, push(A))
    while shown["cursor"] == created["cursor"]:
        shown = (await hub.get(f"/v1/subscriptions/{created['id']}")).json()["callback"]
    assert [one.after for one in shop.taken] == [A]
    assert shop.taken[0].document["id"] == shown["cursor"]
    assert created["secret"] not in str(shown)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.2:1/", "callback-address"),
        ("http://localhost:1/", "callback-address"),
        ("http://2130706433/", "callback-address"),
        ("http://[::ffff:7f00:1]/", "callback-address"),
        ("http://169.254.169.254/latest/meta-data", "callback-address"),
        ("ftp://shop.test/", "invalid-callback"),
        ("http://shop.test/a b", "invalid-callback"),
    ],
)
async def test_a_url_that_may_not_be_called_is_refused(tmp_path: Path, url: str, code: str) -> None:
    """With a reason and what to do; nothing is subscribed."""
    async with hub_client(settings(tmp_path)) as hub:
        answer = await hub.post("/v1/subscriptions", json=body(url))
        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert answer.json()["next"]
        assert (await hub.get("/v1/subscriptions")).json() == {"subscriptions": []}


async def test_a_password_in_the_url_is_refused_and_not_repeated(hub: httpx.AsyncClient) -> None:
    """The signature says who is calling."""
    answer = await hub.post("/v1/subscriptions", json=body("http://me:hunter2@shop.test/"))
    assert answer.status_code == 400
    assert "hunter2" not in answer.text


async def test_a_name_that_is_not_known_yet_may_be_subscribed(hub: httpx.AsyncClient) -> None:
    """The receiver may be set up later; every connection looks again."""
    await subscribe(hub, "https://not-there.invalid/")


async def test_a_dead_letter_is_kept_and_can_be_sent_again(
    hub: httpx.AsyncClient, shop: Receiver
) -> None:
    """Once it is taken, it is forgotten."""
    status = 500
    shop.answer = lambda _: Reply(status)
    created = await subscribe(hub, shop.url)
    await post(hub, push(A))
    [letter] = await buried(hub)
    assert letter["subscription"] == created["id"]
    assert letter["reason"] == "the receiver answered 500"
    assert letter["notification"]["data"]["after"] == A
    url = f"/v1/dead-letters/{letter['number']}"
    assert (await hub.get(url)).json() == letter
    failed = await hub.post(f"{url}/resend")
    assert (failed.status_code, failed.json()["detail"]) == (502, "the receiver answered 500")
    assert await dead_letters(hub) == [letter]
    status = 200
    assert (await hub.post(f"{url}/resend")).status_code == 204
    assert await dead_letters(hub) == []
    assert len({(one.headers["webhook-id"], one.body) for one in shop.received}) == 1


async def test_sending_again_does_not_wait_for_a_failing_host(
    hub: httpx.AsyncClient, shop: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks has mended it, and is not to wait until the host is tried again."""
    monkeypatch.setattr(hosts, "PROBE_PAUSE", Timing(first_pause_seconds=600.0))
    shop.answer = lambda _: Reply(500)
    await subscribe(hub, shop.url)
    for number in range(8):
        await post(hub, push(f"{number + 1:040x}"))
    letters = await buried(hub, 5)
    shop.answer = lambda _: Reply(200)
    async with asyncio.timeout(15):  # the host is left in peace for minutes
        for letter in letters[:3]:
            answer = await hub.post(f"/v1/dead-letters/{letter['number']}/resend")
            assert answer.status_code == 204


async def test_dead_letters_are_listed_by_subscription_and_page(
    hub: httpx.AsyncClient, shop: Receiver
) -> None:
    """Newest first."""
    shop.answer = lambda _: Reply(500)
    first, second = [await subscribe(hub, shop.url, name) for name in ("s1", "s2")]
    await post(hub, push(A))
    await post(hub, push(B, A))
    letters = await buried(hub, 4)
    assert [one["number"] for one in letters] == [4, 3, 2, 1]
    for created in (first, second):
        own = await dead_letters(hub, subscription=created["id"])
        assert [one["notification"]["data"]["after"] for one in own] == [B, A]
        assert await dead_letters(hub, subscription=created["id"], limit=1) == own[:1]
        page = await dead_letters(hub, subscription=created["id"], before=own[0]["number"])
        assert page == own[1:]


async def test_a_dead_letter_can_be_thrown_away(hub: httpx.AsyncClient, shop: Receiver) -> None:
    """Once; every later call about it answers 404."""
    shop.answer = lambda _: Reply(500)
    await subscribe(hub, shop.url)
    await post(hub, push(A))
    [letter] = await buried(hub)
    url = f"/v1/dead-letters/{letter['number']}"
    assert (await hub.delete(url)).status_code == 204
    answers = [await hub.delete(url), await hub.get(url), await hub.post(f"{url}/resend")]
    assert {answer.json()["code"] for answer in answers} == {"unknown-dead-letter"}
    answer = await hub.post("/v1/dead-letters/none/resend")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-request")


async def test_a_receiver_that_is_gone_shows_as_paused(
    hub: httpx.AsyncClient, shop: Receiver
) -> None:
    """With the reason; resumed, it is told what has waited."""
    status = 410
    shop.answer = lambda _: Reply(status)
    url = f"/v1/subscriptions/{(await subscribe(hub, shop.url))['id']}"
    await post(hub, push(A))
    while not (shown := (await hub.get(url)).json())["paused"]:
        await asyncio.sleep(0.01)
    assert shown["callback"]["last_error"] == "the receiver answered 410"
    status = 200
    await hub.post(f"{url}/resume")
    await eventually(lambda: shop.taken)
    assert await dead_letters(hub) == []


async def test_who_opens_a_stream_instead_leaves_no_dead_letters(
    hub: httpx.AsyncClient, shop: Receiver
) -> None:
    """There is nobody to post them to."""
    shop.answer = lambda _: Reply(500)
    created = await subscribe(hub, shop.url)
    await post(hub, push(A))
    await buried(hub)
    await hub.post("/v1/subscriptions", json=body(shop.url) | {"deliver": {"mode": "stream"}})
    while await dead_letters(hub):
        await asyncio.sleep(0.01)
    assert "callback" not in (await hub.get(f"/v1/subscriptions/{created['id']}")).json()


async def test_sending_again_ends_at_once_when_the_hub_stops(tmp_path: Path) -> None:
    """503 and what to do, not the receiver's fault; the dead letter is kept."""
    reply = Reply(500)
    changes = {"callback_allowed_networks": LOOPBACK, "callback_retry_seconds": 0}
    async with (
        receiver(lambda _: reply) as shop,
        serving_hub(settings(tmp_path, **changes)) as (url, stopping, _),
        httpx.AsyncClient(base_url=url) as hub,
    ):
        await subscribe(hub, shop.url)
        await post(hub, push(A))
        [letter] = await buried(hub)
        reply = Reply(after_seconds=15)
        path = f"/v1/dead-letters/{letter['number']}/resend"
        sending = asyncio.create_task(hub.post(path))
        await eventually(lambda: len(shop.received) == 2)
        started = time.monotonic()
        stopping.set()
        answer = await sending
        assert time.monotonic() - started < 8  # a receiver is given ten
        assert (answer.status_code, answer.json()["code"]) == (503, "stopping")
        assert answer.json()["next"]


async def test_what_is_redelivered_to_one_is_posted_to_no_other(
    hub: httpx.AsyncClient, shop: Receiver
) -> None:
    """A later push comes to all again."""
    await subscribe(hub, f"{shop.url}/one", "s1")
    await subscribe(hub, f"{shop.url}/other", "s2")
    await post(hub, push(A))
    await hub.post("/v1/deliveries/1/redeliver", json={"subscription": "s2"})
    await post(hub, push(B, A))
    await eventually(lambda: [one.after for one in shop.taken].count(B) == 2)
    posted = sorted((one.path.removeprefix("/hook"), one.after) for one in shop.taken)
    assert posted == [("/one", A), ("/one", B), ("/other", A), ("/other", A), ("/other", B)]
