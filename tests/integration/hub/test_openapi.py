"""What /openapi.json says of the paths that are described by hand is what they answer."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from tests.support.deliveries import SHOP, A, Post, push
from tests.support.hubs import hub_client, post, settings

WEBHOOK, EVENTS = "/webhooks/{provider}/{source}", "/v1/events"


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A hub without subscriptions."""
    async with hub_client(settings(tmp_path)) as client:
        yield client


async def hold(hub: httpx.AsyncClient, operation: tuple[str, str], answer: httpx.Response) -> None:
    """Fail unless the document foresees this answer, with these members and no others."""
    path, method = operation
    document = (await hub.get("/openapi.json")).json()
    foreseen = document["paths"][path][method]["responses"][str(answer.status_code)]
    assert {name.lower() for name in foreseen.get("headers", ())} <= answer.headers.keys()
    if answer.status_code == 204:
        assert not {"content-type", "content-length"} & answer.headers.keys()
        return
    schema: dict[str, Any] = foreseen["content"][answer.headers["content-type"]]["schema"]
    jsonschema.validate(answer.json(), schema)
    assert set(answer.json()) == set(schema["properties"])


@pytest.mark.parametrize(
    ("delivery", "status"),
    [
        (push(A), 202),
        (replace(push(A), headers=push(A).headers | {"X-GitHub-Event": "ping"}), 200),
        (push(A, secret=b"wrong"), 401),
        (replace(push(A), headers=push(A).headers | {"Content-Type": "text/plain"}), 415),
    ],
    ids=["push", "ping", "bad signature", "text"],
)
async def test_answers_to_deliveries(hub: httpx.AsyncClient, delivery: Post, status: int) -> None:
    """News, no news and refusals."""
    answer = await post(hub, delivery)
    assert answer.status_code == status
    await hold(hub, (WEBHOOK, "post"), answer)


async def test_answers_to_repeats_and_near_misses(hub: httpx.AsyncClient) -> None:
    """With a subscription that nearly fits."""
    wanted = {"name": "s", "repositories": [{"url": SHOP, "ref": "other"}]}
    await hub.post("/v1/subscriptions", json=wanted)
    near = await post(hub, push(A))
    assert near.json()["nearest"]
    await hold(hub, (WEBHOOK, "post"), near)
    await hold(hub, (WEBHOOK, "post"), await post(hub, push(A)))


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 204), ("?after=none", 200), ("?subscription=none", 404), ("?refs=main", 400)],
    ids=["where to begin", "gap", "unknown", "mistyped"],
)
async def test_answers_to_polls(hub: httpx.AsyncClient, query: str, status: int) -> None:
    """Without waiting for anything."""
    answer = await hub.get(f"/v1/events{query}")
    assert answer.status_code == status
    await hold(hub, (EVENTS, "get"), answer)


async def test_answers_to_polls_behind_a_push(hub: httpx.AsyncClient) -> None:
    """The push, then nothing."""
    cursor = (await hub.get("/v1/events")).headers["x-directcd-cursor"]
    await post(hub, push(A))
    told = await hub.get("/v1/events", params={"after": cursor})
    assert told.json()["events"]
    await hold(hub, (EVENTS, "get"), told)
    parameters = {"after": told.json()["cursor"], "timeout": "0"}
    await hold(hub, (EVENTS, "get"), await hub.get("/v1/events", params=parameters))


async def test_every_parameter_is_described(hub: httpx.AsyncClient) -> None:
    """Those of the document are those that are taken."""
    described = (await hub.get("/openapi.json")).json()["paths"][EVENTS]["get"]["parameters"]
    in_query = [one["name"] for one in described if one["in"] == "query"]
    answer = await hub.get("/v1/events?mistyped=1")
    assert answer.json()["next"] == f"known: {', '.join(sorted(in_query))}"
