"""What people ask of deliveries afterwards: why now, what if, and once more."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.deliveries import MAIN, SHOP, A, B, github, push
from tests.support.hubs import WEBHOOK, hub_client, hub_of, post, settings


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A hub with a GitHub source `main` and a Gitea source `tea`."""
    async with hub_client(settings(tmp_path)) as client:
        yield client


async def subscribed(hub: httpx.AsyncClient, name: str, ref: str = "main") -> dict[str, Any]:
    """A subscription to the shop."""
    body = {"name": name, "repositories": [{"url": SHOP, "ref": ref}]}
    found: dict[str, Any] = (await hub.post("/v1/subscriptions", json=body)).json()
    return found


async def heard(hub: httpx.AsyncClient, one: dict[str, Any]) -> list[dict[str, Any]]:
    """What a subscription is told, from its beginning."""
    query = {"subscription": one["id"], "after": one["cursor"], "timeout": "0"}
    answer = await hub.get("/v1/events", params=query)
    found: list[dict[str, Any]] = answer.json()["events"] if answer.status_code == 200 else []
    return found


async def number(hub: httpx.AsyncClient) -> int:
    """The newest delivery's."""
    found = (await hub.get("/v1/deliveries", params={"limit": 1})).json()["deliveries"]
    return int(found[0]["number"])


async def test_a_redelivery_is_told_although_it_is_known(hub: httpx.AsyncClient) -> None:
    """To all, with a trace and a number of its own, and it says what it is."""
    one = await subscribed(hub, "s1")
    await post(hub, push(A))
    told = await hub.post("/v1/deliveries/1/redeliver")
    assert (told.status_code, told.json()["matched"]) == (202, ["s1"])
    first, second = await heard(hub, one)
    assert (first["data"]["ref"], second["data"]["ref"]) == (MAIN, MAIN)
    assert second["traceparent"][3:35] in told.json()["trace_ids"]
    made = (await hub.get(f"/v1/deliveries/{told.json()['number']}")).json()
    assert made["explanation"]["reason"].startswith("delivery 1 once more, by hand: 1 ")
    assert (made["redelivery_of"], made["status"]) == (1, 202)
    assert (await hub.post(f"/v1/deliveries/{made['number']}/redeliver")).status_code == 202


async def test_a_redelivery_to_one_is_told_to_no_other(hub: httpx.AsyncClient) -> None:
    """Who names no subscription hears it all the same."""
    one, other = await subscribed(hub, "s1"), await subscribed(hub, "s2")
    await post(hub, push(A))
    body = {"subscription": "s2"}
    told = (await hub.post("/v1/deliveries/1/redeliver", json=body)).json()
    assert told["matched"] == ["s2"]
    assert "for s2 alone" in told["reason"]
    assert [len(await heard(hub, subscriber)) for subscriber in (one, other)] == [1, 2]


async def test_a_push_after_a_redelivery_is_news(hub: httpx.AsyncClient) -> None:
    """An old delivery says nothing of where its ref stands now."""
    for delivery in (push(A), push(B, A)):
        await post(hub, delivery)
    await hub.post("/v1/deliveries/1/redeliver")
    assert (await hub.get("/v1/heads")).json()["heads"] == []
    assert (await post(hub, push(A, B))).json()["verdict"] == "no-match"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("1/redeliver", {"subscription": "nobody"}, 404, "unknown-subscription"),
        ("2/redeliver", {}, 409, "nothing-to-redeliver"),
        ("3/redeliver", {}, 409, "payload-cut"),
        ("4/redeliver", {}, 404, "unknown-delivery"),
    ],
)
async def test_what_cannot_be_redelivered_says_why(
    hub: httpx.AsyncClient, path: str, body: dict[str, str], status: int, code: str
) -> None:
    """And nothing is told."""
    for delivery in (push(A), github("ping", {"zen": "z"}), github("ping", {"zen": "z" * 300_000})):
        await post(hub, delivery)
    answer = await hub.post(f"/v1/deliveries/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await number(hub) == 3


async def test_an_old_delivery_is_explained_by_todays_subscriptions(
    hub: httpx.AsyncClient,
) -> None:
    """What was remembered stays as it was told."""
    await post(hub, push(A))
    await subscribed(hub, "s1", "release")
    now = (await hub.get("/v1/deliveries/1/explanation")).json()
    assert [(miss["subscription"], miss["failed"]) for miss in now["nearest"]] == [("s1", "ref")]
    await subscribed(hub, "s2")
    now = (await hub.get("/v1/deliveries/1/explanation")).json()
    assert (now["verdict"], now["matched"]) == ("matched", ["s2"])
    then = (await hub.get("/v1/deliveries/1")).json()["explanation"]
    assert (then["verdict"], then["nearest"]) == ("no-match", [])
    assert await number(hub) == 1


@pytest.mark.parametrize(("secret", "valid"), [(b"s3cr3t", True), (b"wrong", False)])
async def test_what_if_has_no_effect(hub: httpx.AsyncClient, secret: bytes, *, valid: bool) -> None:
    """Whoever signed it: whom it would reach, and whether the signature holds."""
    one = await subscribed(hub, "s1")
    delivery = push(A, secret=secret)
    asked = {"provider": "github", "headers": delivery.headers, "body": delivery.body.decode()}
    found = (await hub.post("/v1/explain", json=asked)).json()
    assert found["explanation"]["matched"] == ["s1"]
    assert found["signature"]["valid"] is valid
    assert await heard(hub, one) == []
    assert (await hub.get("/v1/deliveries")).json()["deliveries"] == []


async def test_what_if_says_what_is_malformed(hub: httpx.AsyncClient) -> None:
    """As the webhook would."""
    asked = {"provider": "github", "headers": push(A).headers, "body": "{"}
    answer = await hub.post("/v1/explain", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-delivery")


@pytest.mark.parametrize(
    ("body", "refs"),
    [
        ({"repository": SHOP, "ref": "main"}, [MAIN]),
        ({"repository": "github.com/acme/shop"}, [MAIN, "refs/heads/release"]),
    ],
)
async def test_a_person_can_notify_who_follows_a_repository(
    hub: httpx.AsyncClient, body: dict[str, str], refs: list[str]
) -> None:
    """Of one ref, or of all that somebody follows, and that a pattern of somebody takes."""
    one = await subscribed(hub, "s1")
    other = await subscribed(hub, "s2", "refs/heads/rel*")
    await post(hub, push(A, ref="refs/heads/release"))
    told = (await hub.post("/v1/notify", json=body)).json()
    assert told["matched"] == (["s1", "s2"] if len(refs) > 1 else ["s1"])
    events = [event["data"] for event in await heard(hub, one)]
    assert [(event["ref"], event["after"]) for event in events] == [(MAIN, None)]
    assert len(await heard(hub, other)) == len(refs)
    again = (await hub.post("/v1/notify", json=body)).json()
    assert again["trace_ids"] != told["trace_ids"]


async def test_a_notification_of_no_repository_is_refused(hub: httpx.AsyncClient) -> None:
    """With a sentence about what is wrong."""
    for body in ({"repository": "shop"}, {"repository": SHOP, "ref": "a..b"}):
        answer = await hub.post("/v1/notify", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-repository")


async def test_deliveries_are_exported_with_their_payloads(hub: httpx.AsyncClient) -> None:
    """A line each, newest first, those that are asked for."""
    deliveries = [push(A), push(B, A), github("ping", {"zen": "z"})]
    for delivery in deliveries:
        await post(hub, delivery)
    answer = await hub.get("/v1/deliveries/export", params={"verdict": "no-match"})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["number"] for line in lines] == [2, 1]
    assert lines[1]["payload"].encode() == deliveries[0].body
    assert lines[1]["headers"]


async def test_a_form_can_be_redelivered(tmp_path: Path) -> None:
    """The text in it is kept, and read again."""
    form = push(A)
    form.headers |= {"Content-Type": "application/x-www-form-urlencoded"}
    form.body = str(httpx.QueryParams({"payload": form.body.decode()})).encode()
    async with hub_client(hub_of(tmp_path, "github", insecure=True, secrets=())) as hub:
        await subscribed(hub, "s1")
        assert (await post(hub, form, WEBHOOK)).json()["matched"] == ["s1"]
        assert (await hub.post("/v1/deliveries/1/redeliver")).json()["matched"] == ["s1"]
