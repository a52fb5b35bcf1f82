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


async def test_answers_to_deliveries_by_get(hub: httpx.AsyncClient) -> None:
    """As Gitea can be told to make them."""
    delivery = by_get(push(A))
    answer = await hub.get("/webhooks/gitea/tea", params=delivery[0], headers=delivery[1])
    assert answer.status_code == 202
    await hold(hub, (WEBHOOK, "get"), answer)


def by_get(delivery: Post) -> tuple[dict[str, str], dict[str, str]]:
    """What a push of GitHub's would be of Gitea, in the URL: its query and headers."""
    signature = delivery.headers["X-Hub-Signature-256"].removeprefix("sha256=")
    headers = {"X-Gitea-Event": "push", "X-Gitea-Delivery": "1", "X-Gitea-Signature": signature}
    return {"payload": delivery.body.decode()}, headers


async def test_it_says_which_scope_is_needed(hub: httpx.AsyncClient) -> None:
    """Of each path whether, and what for, a token is asked."""
    paths = (await hub.get("/openapi.json")).json()["paths"]
    scopes = {
        f"{method} {path}": [
            token for one in operation["security"] for token in one.get("token", [])
        ]
        for path, operations in paths.items()
        for method, operation in operations.items()
    }
    assert scopes["get /v1/deliveries"] == ["read"]
    assert scopes["post /v1/deliveries/{number}/redeliver"] == ["admin"]
    assert scopes["get /v1/events"] == ["subscribe", "read"]
    assert scopes["post /v1/reports"] == ["report"]
    public = {operation for operation, needed in scopes.items() if not needed}
    assert {"get /livez", "get /metrics", f"post {WEBHOOK}"} <= public
    assert not any(operation.partition(" ")[2].startswith("/v1") for operation in public)


async def test_a_mistake_is_answered_as_it_says(hub: httpx.AsyncClient) -> None:
    """Not as the framework would."""
    await hold(hub, ("/v1/deliveries", "get"), await hub.get("/v1/deliveries?limit=0"))
    operations = (await hub.get("/openapi.json")).json()["paths"].values()
    assert not any("422" in one["responses"] for many in operations for one in many.values())


async def test_every_parameter_is_described(hub: httpx.AsyncClient) -> None:
    """Those of the document are those that are taken."""
    described = (await hub.get("/openapi.json")).json()["paths"][EVENTS]["get"]["parameters"]
    in_query = [one["name"] for one in described if one["in"] == "query"]
    answer = await hub.get("/v1/events?mistyped=1")
    assert answer.json()["next"] == f"known: {', '.join(sorted(in_query))}"
