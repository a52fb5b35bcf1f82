"""What a person finds of deliveries afterwards, through a hub's API."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.keeping import PAYLOAD_BYTES, REDACTED
from tests.support.deliveries import MAIN, SECRET, SHOP, A, B, github, push
from tests.support.forges import gitea
from tests.support.hubs import hub_client, post, serving_hub, settings, subscribe
from tests.support.waiting import DEADLINE_SECONDS, PAUSE_SECONDS


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A hub with a GitHub source `main` and a Gitea source `tea`."""
    async with hub_client(settings(tmp_path)) as client:
        yield client


async def refusals(hub: httpx.AsyncClient, count: int) -> list[dict[str, Any]]:
    """So many refusals, once they are written."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            found: list[dict[str, Any]] = (await hub.get("/v1/refusals")).json()["refusals"]
            if len(found) >= count:
                return found
            await asyncio.sleep(PAUSE_SECONDS)


def kept_in(directory: Path) -> bytes:
    """Everything in its files."""
    return b"".join(file.read_bytes() for file in directory.rglob("*") if file.is_file())


async def test_a_delivery_can_be_looked_at_as_it_came(hub: httpx.AsyncClient) -> None:
    """Its headers without the signature, its payload, its timings, and what was answered."""
    await subscribe(hub, "https://github.com/acme/shop")
    delivery = push(A)
    answer = await post(hub, delivery)
    found = (await hub.get(answer.json()["inspect"])).json()
    assert found["response"] == {"status": 202, "body": answer.json()}
    headers = dict(found["headers"])
    assert headers["x-hub-signature-256"] == REDACTED
    assert headers["x-github-event"] == "push"
    assert found["payload_bytes"] == found["payload_kept_bytes"] == len(delivery.body)
    assert set(found["timings"]) == {"read_ms", "understood_ms", "explained_ms"}
    assert [len(one) for one in found["trace_ids"]] == [32]
    assert found["peer"] == "127.0.0.1"
    payload = await hub.get(f"/v1/deliveries/{found['number']}/payload")
    assert payload.content == delivery.body


async def test_deliveries_are_searched_and_paged(hub: httpx.AsyncClient) -> None:
    """By what is asked for; `next` continues until there is no more."""
    for commit in (A, B):
        await post(hub, push(commit))
    await post(hub, github("ping", {"zen": "z", "hook_id": 1, "hook": {}}))
    found = (await hub.get("/v1/deliveries", params={"verdict": "no-match", "limit": 1})).json()
    assert found["next"] == found["deliveries"][0]["number"] == 2
    query = {"q": A[:9], "before": found["next"], "repository": "GitHub.com/acme/shop"}
    found = (await hub.get("/v1/deliveries", params=query)).json()
    assert [one["ref"] for one in found["deliveries"]] == [MAIN]
    assert found["next"] is None
    assert (await hub.get("/v1/deliveries", params={"verdikt": "ping"})).status_code == 400


async def test_of_a_large_payload_the_beginning_is_kept(hub: httpx.AsyncClient) -> None:
    """With its whole size beside it, also when it was in a file meanwhile."""
    large = github("ping", {"zen": "z" * 2**21, "hook_id": 1})
    answer = await post(hub, large)
    found = (await hub.get(answer.json()["inspect"])).json()
    assert (found["payload_bytes"], found["payload_kept_bytes"]) == (len(large.body), PAYLOAD_BYTES)
    payload = await hub.get(f"/v1/deliveries/{found['number']}/payload")
    assert payload.content == large.body[:PAYLOAD_BYTES]


async def test_a_refused_delivery_is_kept_apart_with_what_its_sender_is_not_told(
    hub: httpx.AsyncClient,
) -> None:
    """Equal ones are counted; no secret of theirs is kept."""
    forged = push(A, secret=b"wrong")
    forged.headers |= {"X-Gitea-Event": "push", "Authorization": f"Bearer {SECRET.decode()}"}
    told = [(await post(hub, forged)).json() for _ in range(3)]
    [found] = await refusals(hub, 1)
    assert (found["count"], found["status"], found["code"]) == (3, 401, "bad-signature")
    assert (found["provider"], found["source"]) == ("github", "main")
    assert found["hints"] == {"sent_by": "gitea"}
    assert "a source of github" in found["next"]
    assert "gitea" not in str(told)
    assert dict(found["headers"])["authorization"] == REDACTED
    assert found["body_bytes"] == len(forged.body)
    assert (await hub.get("/v1/deliveries")).json() == {"deliveries": [], "next": None}


async def test_every_kind_of_refusal_is_kept(hub: httpx.AsyncClient) -> None:
    """Whether its body was read or not."""
    await post(hub, push(A), "/webhooks/github/nobody")
    await hub.get("/webhooks/github/main")
    await hub.post("/webhooks/github/main", content=b"x", headers={"Content-Encoding": "gzip"})
    codes = {one["code"] for one in await refusals(hub, 3)}
    assert codes == {"unknown-source", "not-a-delivery", "encoded-body"}


async def test_who_runs_the_hub_is_told_where_a_lost_webhook_could_go(
    hub: httpx.AsyncClient,
) -> None:
    """Its sender, who may be anybody, is not."""
    answer = await post(hub, push(A), "/webhooks/gitea/main")
    [found] = await refusals(hub, 1)
    assert "/webhooks/github/main" in found["next"]
    assert "github" not in answer.text


async def test_a_body_that_does_not_arrive_is_a_refusal(tmp_path: Path) -> None:
    """Its sender hung up, and is named."""
    head = b"POST /webhooks/github/main HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx"
    async with serving_hub(settings(tmp_path)) as (url, _, _):
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(head)
        await writer.drain()
        writer.close()
        async with httpx.AsyncClient(base_url=url) as hub:
            [found] = await refusals(hub, 1)
    assert (found["code"], found["peer"]) == ("request-incomplete", "127.0.0.1")


async def test_no_secret_is_on_the_disk(hub: httpx.AsyncClient, tmp_path: Path) -> None:
    """Not the source's own in a payload, not one in a URL, not a stranger's in a header."""
    canaries = ["hunter2hunter2", SECRET.decode(), "t0ken-canary"]
    copied = f"https://me:{canaries[0]}@h.test/a"
    accepted = gitea(SHOP, A, B, original_url=copied, note=canaries[1])
    accepted.headers["X-Api-Token"] = canaries[2]
    assert (await post(hub, accepted, "/webhooks/gitea/tea")).status_code == 202
    refused = push(A, secret=b"wrong")
    refused.headers["Cookie"] = canaries[2]
    await post(hub, refused, f"/webhooks/github/main?token={canaries[2]}")
    await refusals(hub, 1)
    kept = kept_in(tmp_path)
    assert b"refusals" in kept
    assert [one for one in canaries if one.encode() in kept] == []


async def test_paths_that_anybody_makes_up_push_out_no_honest_refusal(
    hub: httpx.AsyncClient,
) -> None:
    """However many there are; and bodies of other sizes are the same trouble."""
    for number in range(80):
        await hub.post(f"/webhooks/github/made-up-{number}", content=b"{}")
    for number in range(5):
        forged = push(A, url=f"{SHOP}?{'x' * number}", secret=b"wrong")
        forged.headers["X-Padding"] = "x" * 9_000
        await post(hub, forged)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (await hub.get("/v1/refusals")).json()["refusals"]:
            await asyncio.sleep(PAUSE_SECONDS)
    found = (await hub.get("/v1/refusals")).json()["refusals"]
    [honest] = [one for one in found if one["code"] == "bad-signature"]
    assert honest["count"] == 5
    assert sum(len(name) + len(value) for name, value in honest["headers"]) < 5_000
