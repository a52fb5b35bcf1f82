"""Several refs in one delivery, and refs without hashes: what is told, and what is a repeat."""

import asyncio
from pathlib import Path

import pytest

from hub.explaining import CHANGES_SHOWN
from tests.support.deliveries import A, B, C
from tests.support.forges import bitbucket, hint
from tests.support.hubs import hub_client, hub_of, post, subscribe, told


async def test_a_ref_that_moved_twice_in_a_delivery_is_told_twice(tmp_path: Path) -> None:
    """Its head is where it came to stand."""
    url, path = "https://bitbucket.org/acme/shop", "/webhooks/bitbucket/main"
    async with hub_client(hub_of(tmp_path, "bitbucket")) as hub:
        cursor = await subscribe(hub, url)
        await post(hub, bitbucket("r1", ("main", A, B), ("main", B, C)), path)
        assert [one["after"] for one in await told(hub, url, cursor)] == [B, C]


async def test_every_ref_of_a_delivery_is_told_once(tmp_path: Path) -> None:
    """One known ref among three does not make the others a repeat."""
    url, path = "https://bitbucket.org/acme/shop", "/webhooks/bitbucket/main"
    async with hub_client(hub_of(tmp_path, "bitbucket")) as hub:
        cursor = await subscribe(hub, url, "release/*")
        await post(hub, bitbucket("r1", ("main", A, B)), path)
        three = bitbucket("r2", ("main", A, B), ("old", B, None), ("release/1", None, C))
        answer = await post(hub, three, path)
        refs = [(one["ref"], one["after"]) for one in await told(hub, url, cursor)]
        again = await post(hub, three, path)
    body = answer.json()
    assert (body["verdict"], body["matched"]) == ("matched", ["s1"])
    assert body["reason"] == "1 subscription wants this push of 3 refs"
    assert [(one["ref"], one["before"], one["after"]) for one in body["changes"]] == [
        ("refs/heads/main", A, B),
        ("refs/heads/old", B, None),
        ("refs/heads/release/1", None, C),
    ]
    assert body["event"]["ref"] == "refs/heads/main"
    assert refs == [
        ("refs/heads/main", B),
        ("refs/heads/old", None),
        ("refs/heads/release/1", C),
    ]
    assert again.json()["verdict"] == "duplicate"


@pytest.mark.parametrize("wanted", ["r7", "refs/heads/*7", ""], ids=["one", "pattern", "any"])
async def test_a_subscriber_of_one_ref_among_many_is_found(tmp_path: Path, wanted: str) -> None:
    """Wherever in the delivery it stands."""
    changes = [(f"r{number}", A, B) for number in range(9)]
    async with hub_client(hub_of(tmp_path, "bitbucket")) as hub:
        await subscribe(hub, "bitbucket.org/acme/shop", wanted)
        answer = await post(hub, bitbucket("r1", *changes), "/webhooks/bitbucket/main")
    assert answer.json()["matched"] == ["s1"]


async def test_thousands_of_refs_are_counted_and_keep_nobody_waiting(tmp_path: Path) -> None:
    """An answer lists the first of them; the hub goes on answering meanwhile."""
    changes = [(f"r{number}", A, B) for number in range(10_000)]
    async with hub_client(hub_of(tmp_path, "bitbucket")) as hub:
        delivery = bitbucket("r1", *changes)
        async with asyncio.TaskGroup() as tasks:
            sent = tasks.create_task(post(hub, delivery, "/webhooks/bitbucket/main"))
            answered = 0
            while not sent.done():
                assert (await hub.get("/livez")).status_code == 200
                await asyncio.sleep(0.001)
                answered += 1
        body = sent.result().json()
        head = (await hub.get("/v1/events")).headers["x-directcd-cursor"]
    assert answered > 10
    assert head.split("-")[1] == "10000"
    assert (len(body["changes"]), body["more"]) == (CHANGES_SHOWN, 10_000 - CHANGES_SHOWN)


async def test_a_ping_needs_no_address(tmp_path: Path) -> None:
    """Only who is to be told must be found; and the answer lists all of its refs: none."""
    ping = hint(event="ping", repository={"full_name": "acme/shop"})
    async with hub_client(hub_of(tmp_path, "generic")) as hub:
        answer = await post(hub, ping, "/webhooks/generic/main")
    assert (answer.status_code, answer.json()["verdict"]) == (200, "ping")
    assert (answer.json()["changes"], answer.json()["more"]) == ([], 0)


async def test_a_hint_without_a_hash_is_news_each_time(tmp_path: Path) -> None:
    """Two within the window are two; the same delivery again is a repeat."""
    async with hub_client(hub_of(tmp_path, "generic")) as hub:
        deliveries = [hint(), hint(), hint(), hint(), hint(after=A), hint(after=A)]
        for delivery, name in zip(deliveries, ["", "", "id1", "id1", "", ""], strict=True):
            if name:
                delivery.headers["X-Request-Id"] = name
        answers = [await post(hub, one, "/webhooks/generic/main") for one in deliveries]
    verdicts = [answer.json()["verdict"] for answer in answers]
    assert verdicts == ["no-match"] * 3 + ["duplicate", "no-match", "duplicate"]


async def test_a_hint_that_knows_only_where_the_ref_was_is_news_each_time(tmp_path: Path) -> None:
    """Also after somebody said where it stands."""
    deliveries = [hint(before=A), hint(before=B, after=C), hint(before=A), hint(before=B, after=C)]
    async with hub_client(hub_of(tmp_path, "generic")) as hub:
        answers = [await post(hub, one, "/webhooks/generic/main") for one in deliveries]
    assert [answer.json()["verdict"] for answer in answers] == ["no-match"] * 4
