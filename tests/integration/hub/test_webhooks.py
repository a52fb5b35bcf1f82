"""`POST /webhooks/…` from outside: every answer a forge can get, and what is stored behind it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.deliveries import MAIN, SHOP, A, B, Post, github, push
from tests.support.hubs import hub_client, post, serving_hub, settings


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A hub with a GitHub source `main` and a Gitea source `tea`."""
    async with hub_client(settings(tmp_path)) as client:
        yield client


async def subscribe(hub: httpx.AsyncClient, url: str = SHOP, ref: str = "main") -> None:
    """Subscribe a server named `s1`."""
    body = {"name": "s1", "repositories": [{"url": url, "ref": ref}], "lease_seconds": 60}
    assert (await hub.post("/v1/subscriptions", json=body)).status_code == 201


async def stored(hub: httpx.AsyncClient) -> list[dict[str, Any]]:
    """What the hub remembers."""
    deliveries: list[dict[str, Any]] = (await hub.get("/v1/deliveries")).json()["deliveries"]
    return deliveries


async def test_a_wanted_push_is_matched_and_names_who_wants_it(hub: httpx.AsyncClient) -> None:
    """The response says which subscription takes the push, and where to look it up."""
    await subscribe(hub)
    answer = await post(hub, push(A))
    assert answer.status_code == 202
    assert answer.headers["x-directcd-verdict"] == "matched"
    body = answer.json()
    assert body["matched"] == ["s1"]
    assert body["event"] == {
        "repository": "github.com/acme/shop",
        "ref": MAIN,
        "before": None,
        "after": A,
    }
    remembered = (await hub.get(body["inspect"])).json()
    assert remembered["explanation"]["matched"] == ["s1"]


async def test_an_unwanted_repository_is_told_what_to_do(hub: httpx.AsyncClient) -> None:
    """Nobody subscribed: accepted, no-match, and the next step names the repository."""
    answer = await post(hub, push(A))
    assert (answer.status_code, answer.json()["verdict"]) == (202, "no-match")
    assert 'add { url = "https://github.com/acme/shop.git" } to' in answer.json()["next"]


@pytest.mark.parametrize(
    ("url", "ref", "failed", "got"),
    [
        (SHOP, "release", "ref", MAIN),
        ("https://gitlab.com/acme/shop", "", "repository", "github.com/acme/shop"),
    ],
    ids=["other branch", "other host"],
)
async def test_a_near_miss_names_the_condition_that_failed(
    hub: httpx.AsyncClient, url: str, ref: str, failed: str, got: str
) -> None:
    """The nearest subscription is named with what it wanted and what it got."""
    await subscribe(hub, url, ref)
    [nearest] = (await post(hub, push(A))).json()["nearest"]
    assert (nearest["subscription"], nearest["failed"], nearest["got"]) == ("s1", failed, got)


async def test_the_same_delivery_again_is_a_duplicate(hub: httpx.AsyncClient) -> None:
    """A redelivery is answered with success and told to nobody."""
    delivery = push(A)
    assert (await post(hub, delivery)).status_code == 202
    again = await post(hub, delivery)
    assert (again.status_code, again.json()["verdict"]) == (200, "duplicate")


async def test_a_ping_says_that_the_webhook_works(hub: httpx.AsyncClient) -> None:
    """GitHub's ping is answered 200 and stored as a delivery without an event."""
    answer = await post(hub, github("ping", {"zen": "x", "hook_id": 1}))
    assert (answer.status_code, answer.json()["verdict"]) == (200, "ping")
    assert [d["verdict"] for d in await stored(hub)] == ["ping"]


async def test_an_uninteresting_event_is_ignored_with_a_reason(hub: httpx.AsyncClient) -> None:
    """Forges that pause hooks after errors get success for what we do not use."""
    answer = await post(hub, github("star", {"action": "created"}))
    assert (answer.status_code, answer.json()["verdict"]) == (202, "ignored")
    assert answer.json()["reason"]


def unsigned() -> Post:
    """A delivery without a signature header."""
    delivery = push(A)
    del delivery.headers["X-Hub-Signature-256"]
    return delivery


@pytest.mark.parametrize(
    ("delivery", "status", "code"),
    [
        (push(A, secret=b"wrong"), 401, "bad-signature"),
        (unsigned(), 401, "bad-signature"),
        (github("push", {"ref": 1}), 400, "malformed-delivery"),
        (
            Post(b"x", push(A).headers | {"Content-Type": "text/xml"}),
            401,
            "bad-signature",
        ),
    ],
    ids=["wrong secret", "no signature", "malformed", "wrong type, unsigned"],
)
async def test_what_is_refused_leaves_nothing_behind(
    hub: httpx.AsyncClient, delivery: Post, status: int, code: str
) -> None:
    """A problem with code and next step; no delivery, no event."""
    answer = await post(hub, delivery)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-directcd-verdict"] == "refused"
    assert answer.json()["code"] == code
    assert answer.json()["next"]
    assert await stored(hub) == []


async def test_an_unauthenticated_sender_learns_no_secret_and_no_subscription(
    hub: httpx.AsyncClient,
) -> None:
    """The 401 speaks of headers and lengths alone."""
    await subscribe(hub)
    text = (await post(hub, push(A, secret=b"wrong"))).text
    assert "s3cr3t" not in text
    assert "s1" not in text
    assert "acme" not in text


@pytest.mark.parametrize(
    "path",
    ["/webhooks/github/other", "/webhooks/gitlab/main", "/webhooks/github/main/x", "/webhooks/"],
)
async def test_an_unknown_source_is_not_found(hub: httpx.AsyncClient, path: str) -> None:
    """404 that points to the configuration."""
    answer = await post(hub, push(A), path)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-source")


async def test_the_only_source_of_a_provider_needs_no_name(hub: httpx.AsyncClient) -> None:
    """`/webhooks/github` is enough when there is one GitHub source."""
    assert (await post(hub, push(A), "/webhooks/github")).status_code == 202


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
async def test_anything_but_a_delivery_is_told_where_it_is(
    hub: httpx.AsyncClient, method: str
) -> None:
    """A redirect turns a POST into an empty GET; the answer says so."""
    answer = await hub.request(method, "/webhooks/github/main")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_source_speaks_for_its_repositories_alone(tmp_path: Path) -> None:
    """A valid signature of one team does not announce another team's pushes."""
    source = (
        settings(tmp_path)
        .sources["main"]
        .model_copy(update={"repositories": ("github.com/acme/*",)})
    )
    async with hub_client(settings(tmp_path, sources={"main": source})) as hub:
        assert (await post(hub, push(A))).status_code == 202
        other = await post(hub, push(A, url="https://github.com/evil/shop.git"))
        assert (other.status_code, other.json()["code"]) == (403, "repository-not-allowed")
        assert "host_aliases" in other.json()["next"]
        suffix = await post(hub, push(A, url="https://evil.test/github.com/acme/shop.git"))
        assert suffix.status_code == 403


async def test_a_declared_body_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    """The 413 arrives although the body is never sent."""
    async with serving_hub(settings(tmp_path, body_limit_bytes=1024)) as (url, *_):
        port = httpx.URL(url).port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /webhooks/github/main HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\n"
        )
        assert b" 413 " in await reader.readline()
        assert b"body-too-large" in await reader.read()  # and the connection is closed
        writer.close()


async def test_an_undeclared_body_is_read_up_to_the_limit_only(tmp_path: Path) -> None:
    """A chunked body that never ends is cut off at the limit."""
    async with serving_hub(settings(tmp_path, body_limit_bytes=1024)) as (url, *_):
        port = httpx.URL(url).port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /webhooks/github/main HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n2\r\nxx\r\n")  # no end
        assert b" 413 " in await reader.readline()
        writer.close()


async def test_a_sender_that_hangs_up_leaves_nothing(tmp_path: Path) -> None:
    """Half a body is no delivery; the next one is served as ever."""
    async with serving_hub(settings(tmp_path)) as (url, *_):
        port = httpx.URL(url).port
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /webhooks/github/main HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"
        )
        writer.close()
        async with httpx.AsyncClient(base_url=url) as hub:
            assert await stored(hub) == []
            assert (await post(hub, push(A))).status_code == 202


async def test_a_test_delivery_is_news_each_time(hub: httpx.AsyncClient) -> None:
    """Whoever presses the test button twice wants to see it arrive twice."""
    verdicts = [(await post(hub, push(A, A))).json()["verdict"] for _ in range(2)]
    assert verdicts == ["no-match", "no-match"]


async def test_a_rotated_secret_file_is_read_again(tmp_path: Path) -> None:
    """Old and new secret overlap, and a changed file needs no restart."""
    file = tmp_path / "secret"
    file.write_text("one\n")
    source = (
        settings(tmp_path)
        .sources["main"]
        .model_copy(update={"secrets": (), "secrets_files": (file,)})
    )
    async with hub_client(settings(tmp_path, sources={"main": source})) as hub:
        assert (await post(hub, push(A, secret=b"one"))).status_code == 202
        file.write_text("second\n")
        assert (await post(hub, push(B, A, secret=b"second"))).status_code == 202
        assert (await post(hub, push(A, B, secret=b"one"))).status_code == 401
        file.write_text("")
        assert (await post(hub, push(A, B))).json()["code"] == "secret-unavailable"
        file.unlink()
        answer = await post(hub, push(A, B, secret=b"second"))
        assert (answer.status_code, answer.json()["code"]) == (503, "secret-unavailable")


async def test_health_is_told_apart(hub: httpx.AsyncClient) -> None:
    """Alive, ready, and the OpenAPI document are open."""
    for path in ("/livez", "/readyz", "/openapi.json"):
        assert (await hub.get(path)).status_code == 200


async def test_an_unknown_path_answers_a_problem(hub: httpx.AsyncClient) -> None:
    """Even the framework's own errors are problems."""
    answer = await hub.get("/nowhere")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not-found"
