"""Who may ask the hub what: tokens, scopes, repositories, cookies, and pages from elsewhere."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from cd4sources.tokens import digest, new_token
from hub.settings import HubTokenSettings
from hub.tokens import Scope
from tests.support.deliveries import SHOP, A, push
from tests.support.hubs import hub_client, post, settings
from tests.support.waiting import DEADLINE_SECONDS, PAUSE_SECONDS

READ, SUBSCRIBE, REPORT, ADMIN, SHOP_ONLY = (new_token() for _ in range(5))
OTHER = "https://github.com/acme/other"


def token(name: str, value: str, *scopes: Scope, **more: Any) -> HubTokenSettings:
    return HubTokenSettings(name=name, sha256=digest(value), scopes=scopes, **more)


TOKENS = (
    token("people", READ, "read"),
    token("servers", SUBSCRIBE, "subscribe"),
    token("clients", REPORT, "report"),
    token("operators", ADMIN, "admin"),
    token("shop", SHOP_ONLY, "subscribe", "read", "report", repositories=("GitHub.com/acme/shop",)),
)


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A hub that wants tokens."""
    async with hub_client(settings(tmp_path, tokens=TOKENS)) as client:
        yield client


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


def subscription(*urls: str, name: str = "s1") -> dict[str, Any]:
    return {"name": name, "repositories": [{"url": url} for url in urls]}


@pytest.mark.parametrize("value", ["", "dcd_wrong"], ids=["none", "wrong"])
async def test_nothing_below_v1_without_a_token(hub: httpx.AsyncClient, value: str) -> None:
    """Whatever is asked, raw or routed, and whether or not it exists."""
    for path in ("/v1/events", "/v1/deliveries", "/v1/subscriptions", "/v1/nowhere"):
        answer = await hub.get(path, headers=bearer(value) if value else {})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "directcd token new" in answer.json()["next"]


async def test_forges_and_probes_need_no_token(hub: httpx.AsyncClient) -> None:
    """A delivery's signature is what lets it in."""
    assert (await post(hub, push(A))).status_code == 202
    assert [(await hub.get(path)).status_code for path in ("/livez", "/readyz")] == [200, 200]


@pytest.mark.parametrize(
    ("value", "method", "path", "status"),
    [
        (READ, "GET", "/v1/deliveries", 200),
        (READ, "POST", "/v1/subscriptions", 403),
        (READ, "GET", "/v1/events?timeout=0", 204),
        (SUBSCRIBE, "POST", "/v1/subscriptions", 201),
        (SUBSCRIBE, "POST", "/v1/subscriptions/sub_x/pause", 403),
        (SUBSCRIBE, "GET", "/v1/deliveries", 403),
        (REPORT, "POST", "/v1/reports", 400),
        (REPORT, "GET", "/v1/events", 403),
        (READ, "POST", "/v1/reports", 403),
        (SUBSCRIBE, "DELETE", "/v1/dead-letters/1", 403),
        (ADMIN, "DELETE", "/v1/dead-letters/1", 404),
        (ADMIN, "POST", "/v1/subscriptions", 201),
    ],
    ids=lambda value: "" if str(value).startswith("dcd_") else str(value).lstrip("/"),
)
async def test_a_token_is_good_for_its_scopes(
    hub: httpx.AsyncClient, value: str, method: str, path: str, status: int
) -> None:
    """What it is not good for is refused with the scope that is missing."""
    body = subscription(SHOP) if method == "POST" else None
    answer = await hub.request(method, path, headers=bearer(value), json=body)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "scope-missing"
        assert "--scope" in answer.json()["next"]


async def test_a_token_for_some_repositories_follows_no_others(hub: httpx.AsyncClient) -> None:
    """Neither by a subscription, nor by a stream, nor by all that there is."""
    mine, others = bearer(SHOP_ONLY), (subscription(OTHER), subscription(SHOP, OTHER))
    for body in others:
        answer = await hub.post("/v1/subscriptions", json=body, headers=mine)
        assert answer.json()["code"] == "repository-forbidden"
    assert (await hub.post("/v1/subscriptions", json=subscription(SHOP), headers=mine)).is_success
    for query in ("", f"?repository={OTHER}", f"?repository={SHOP}&repository={OTHER}"):
        assert (await hub.get(f"/v1/events{query}", headers=mine)).status_code == 403
    assert (await hub.get(f"/v1/events?repository={SHOP}", headers=mine)).status_code == 204
    assert (await hub.get("/v1/dead-letters", headers=mine)).json()["code"] == "token-bounded"


async def test_a_token_for_some_repositories_touches_no_others_subscription(
    hub: httpx.AsyncClient,
) -> None:
    """It is not shown, renewed, replaced, followed or forgotten."""
    mine = bearer(SHOP_ONLY)
    made = await hub.post("/v1/subscriptions", json=subscription(OTHER), headers=bearer(ADMIN))
    url = f"/v1/subscriptions/{made.json()['id']}"
    answers = [
        await hub.get(url, headers=mine),
        await hub.put(f"{url}/lease", json={"lease_seconds": 1}, headers=mine),
        await hub.delete(url, headers=mine),
        await hub.post("/v1/subscriptions", json=subscription(SHOP), headers=mine),
        await hub.get(f"/v1/events?subscription={made.json()['id']}", headers=mine),
    ]
    assert {answer.json()["code"] for answer in answers} == {"repository-forbidden"}
    assert (await hub.get("/v1/subscriptions", headers=mine)).json() == {"subscriptions": []}


async def test_a_person_signs_in_and_out(hub: httpx.AsyncClient) -> None:
    """The token becomes a cookie that scripts cannot read and other sites do not send."""
    form = {"token": f" {READ} ", "next": "/deliveries?q=x"}
    answer = await hub.post("/login", data=form, headers={"Origin": "http://localhost"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/deliveries?q=x")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert (await hub.get("/v1/deliveries")).status_code == 200
    await hub.post("/logout")
    assert (await hub.get("/v1/deliveries")).status_code == 401


async def test_a_cookie_is_kept_to_https_where_the_hub_is_reached_so(tmp_path: Path) -> None:
    """Also when a proxy ends TLS in front of it."""
    values = settings(tmp_path, tokens=TOKENS, public_url="https://hub.example.com")
    async with hub_client(values) as hub:
        answer = await hub.post("/login", data={"token": READ})
    assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("goal", ["//evil.example", "/\\evil.example", "https://evil.example", ""])
async def test_signing_in_leads_nowhere_else(hub: httpx.AsyncClient, goal: str) -> None:
    """Whatever a link to the form says."""
    answer = await hub.post("/login", data={"token": READ, "next": goal})
    assert answer.headers["Location"] == "/"


async def test_a_wrong_token_leads_back_to_the_form(hub: httpx.AsyncClient) -> None:
    """Without a cookie, and without the token in the address."""
    answer = await hub.post("/login", data={"token": "dcd_wrong"})
    assert answer.headers["Location"] == "/login?failed=token-unknown&next=%2F"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "https://evil.example"}, {"Origin": "null"},
     {"Origin": "http://localhost", "Sec-Fetch-Site": "same-site"}],
    ids=["none", "other", "null", "sibling"],
)  # fmt: skip
async def test_a_cookie_changes_nothing_for_other_sites(
    hub: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    """A change by cookie needs the hub's own Origin."""
    hub.cookies.set("directcd_token", ADMIN)
    refused = await hub.delete("/v1/dead-letters/1", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "cross-site")
    ours = await hub.delete("/v1/dead-letters/1", headers={"Origin": "http://localhost"})
    assert ours.status_code == 404


async def test_pages_are_public_unless_told(tmp_path: Path) -> None:
    """A person is then shown where to sign in; badges stay."""
    for values in ({"tokens": TOKENS[:-1]}, {"tokens": TOKENS, "public_dashboard": True}):
        async with hub_client(settings(tmp_path, **values)) as hub:
            assert (await hub.get("/openapi.json")).status_code == 200
    async with hub_client(settings(tmp_path, tokens=TOKENS, public_dashboard=False)) as hub:
        assert (await hub.get("/openapi.json")).status_code == 401
        seen = await hub.get("/", headers={"Accept": "text/html"})
        assert (seen.status_code, seen.headers["Location"]) == (303, "/login")
        assert (await hub.get("/badges/none.svg")).status_code == 200
        hub.cookies.set("directcd_token", READ)
        assert (await hub.get("/openapi.json")).status_code == 200
        hub.cookies.set("directcd_token", SHOP_ONLY)  # a page is about all repositories
        assert (await hub.get("/openapi.json")).status_code == 403


async def test_pages_are_not_public_where_a_token_is_bounded(hub: httpx.AsyncClient) -> None:
    """Its holder would see more of other repositories without it."""
    assert (await hub.get("/openapi.json")).status_code == 401


async def test_a_bounded_token_is_told_at_the_sign_in_that_pages_are_not_for_it(
    hub: httpx.AsyncClient,
) -> None:
    """And with a cookie of earlier: there is a way to sign in with another."""
    refused = "/login?failed=token-bounded"
    answer = await hub.post("/login", data={"token": SHOP_ONLY, "next": "/"})
    assert answer.headers["Location"] == f"{refused}&next=%2F"
    assert "Set-Cookie" not in answer.headers
    hub.cookies.set("directcd_token", SHOP_ONLY)
    page = await hub.get("/", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["Location"]) == (303, refused)
    form = await hub.get(refused, headers={"Accept": "text/html"})
    assert "This token is for some repositories" in form.text


async def test_a_page_is_acted_on_by_admins_only(hub: httpx.AsyncClient) -> None:
    """A public page's forms lead nowhere."""
    ours = {"Origin": "http://localhost"}
    for value, status in (("", 401), (READ, 403), (ADMIN, 404)):
        hub.cookies.set("directcd_token", value)
        assert (await hub.post("/nothing/pause", headers=ours)).status_code == status


async def test_without_tokens_strange_pages_are_refused(tmp_path: Path) -> None:
    """A page of another site asks for a change; one asks under its own name."""
    async with hub_client(settings(tmp_path)) as hub:
        evil = {"Origin": "https://evil.example"}
        changed = await hub.post("/v1/subscriptions", json=subscription(SHOP), headers=evil)
        assert changed.json()["code"] == "cross-site"
        rebound = await hub.get("/v1/deliveries", headers={"Host": "evil.example"})
        assert rebound.json()["code"] == "foreign-host"
        assert (await hub.get("/readyz", headers={"Host": "10.0.0.7:8080"})).status_code == 200
    async with hub_client(settings(tmp_path, listen="0.0.0.0:8080")) as hub:
        assert (await hub.get("/v1/deliveries", headers={"Host": "hub.lan"})).status_code == 200


async def test_a_flood_of_wrong_tokens_is_one_line(
    hub: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """None of which shows a token."""
    with caplog.at_level(logging.WARNING):
        for _ in range(60):
            await hub.get("/v1/deliveries", headers=bearer("dcd_guess"))
    assert len(caplog.records) == 1
    assert "dcd_guess" not in caplog.text


async def test_who_asks_for_a_change_is_in_the_log(
    hub: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """By the token's name; subscribing and reporting are everyday."""
    with caplog.at_level(logging.INFO, "hub.api.guarding"):
        await hub.post("/v1/subscriptions", json=subscription(SHOP), headers=bearer(SUBSCRIBE))
        await hub.delete("/v1/dead-letters/1", headers=bearer(READ))
        await hub.delete("/v1/dead-letters/1", headers=bearer(ADMIN))
    [line] = caplog.records
    assert (line.token, line.method) == ("operators", "DELETE")  # type: ignore[attr-defined]


async def test_a_token_for_some_repositories_sees_and_tells_of_those_alone(
    hub: httpx.AsyncClient,
) -> None:
    """Deliveries, targets and timelines of others are not there, nor to be written into."""
    other = push(A, url=OTHER)
    traces = []
    for delivery in (push(A), other):
        number = (await post(hub, delivery)).json()["inspect"].rpartition("/")[2]
        found = await hub.get(f"/v1/deliveries/{number}", headers=bearer(READ))
        traces += [(number, found.json()["trace_ids"][0])]
    mine = bearer(SHOP_ONLY)
    (_, shops), (others_number, others) = traces
    assert (await hub.post("/v1/reports", json=report(shops), headers=mine)).status_code == 202
    refused = await hub.post("/v1/reports", json=report(others), headers=mine)
    assert refused.json()["code"] == "repository-forbidden"
    await hub.post("/v1/reports", json=report(others, target="b"), headers=bearer(REPORT))
    listed = (await hub.get("/v1/deliveries", headers=mine)).json()["deliveries"]
    assert [one["repository"] for one in listed] == ["github.com/acme/shop"]
    exported = await hub.get("/v1/deliveries/export", headers=mine)
    assert len(exported.text.splitlines()) == 1
    for path in ("", "/payload", "/explanation"):
        answer = await hub.get(f"/v1/deliveries/{others_number}{path}", headers=mine)
        assert answer.json()["code"] == "unknown-delivery"
    targets = (await hub.get("/v1/targets", headers=mine)).json()["targets"]
    assert [one["target"] for one in targets] == ["a"]
    assert (await hub.get("/v1/targets/b/timeline", headers=mine)).json()["traces"] == []
    assert (await hub.get(f"/v1/traces/{others}", headers=mine)).status_code == 404


async def test_a_bounded_token_writes_about_no_target_of_others(tmp_path: Path) -> None:
    """Whatever trace it names; and what others are told of their target it does not read."""
    async with hub_client(settings(tmp_path, tokens=TOKENS)) as hub:
        vault = push(A, url="https://github.com/other/vault.git")
        number = (await post(hub, vault)).json()["inspect"].rpartition("/")[2]
        delivery = (await hub.get(f"/v1/deliveries/{number}", headers=bearer(READ))).json()
        told = report(delivery["trace_ids"][0], target="vault")
        assert (await hub.post("/v1/reports", json=told, headers=bearer(REPORT))).status_code == 202
        own = report("d" * 32, target="vault")
        refused = await hub.post("/v1/reports", json=own, headers=bearer(SHOP_ONLY))
        assert refused.json()["code"] == "repository-forbidden"
        targets = (await hub.get("/v1/targets", headers=bearer(SHOP_ONLY))).json()["targets"]
        assert targets == []


async def test_a_bounded_token_takes_over_no_target_that_only_polls_have_found(
    hub: httpx.AsyncClient,
) -> None:
    """Nothing says whose it is: a push of its own in a report makes it nobody else's."""
    number = (await post(hub, push(A))).json()["inspect"].rpartition("/")[2]
    delivery = (await hub.get(f"/v1/deliveries/{number}", headers=bearer(READ))).json()
    polled = report("d" * 32, target="victim")
    assert (await hub.post("/v1/reports", json=polled, headers=bearer(REPORT))).status_code == 202
    for trace_id in (delivery["trace_ids"][0], "e" * 32):
        own = report(trace_id, target="victim")
        refused = await hub.post("/v1/reports", json=own, headers=bearer(SHOP_ONLY))
        assert refused.json()["code"] == "repository-forbidden"


async def test_a_bounded_server_tells_of_its_looks(hub: httpx.AsyncClient) -> None:
    """At start and by poll: also before the first push, and after it."""
    number = (await post(hub, push(A))).json()["inspect"].rpartition("/")[2]
    delivery = (await hub.get(f"/v1/deliveries/{number}", headers=bearer(READ))).json()
    for trace_id in ("d" * 32, "d" * 32, delivery["trace_ids"][0], "e" * 32):
        own = report(trace_id, target="mine")
        told = await hub.post("/v1/reports", json=own, headers=bearer(SHOP_ONLY))
        assert told.status_code == 202
    targets = (await hub.get("/v1/targets", headers=bearer(SHOP_ONLY))).json()["targets"]
    assert [one["target"] for one in targets] == ["mine"]


async def test_a_visitor_sees_that_it_failed_and_not_what_was_said(tmp_path: Path) -> None:
    """A build may say anything; who may read is told."""
    async with hub_client(settings(tmp_path, tokens=TOKENS[:-1])) as hub:
        failed = report("d" * 32) | {"result": "failed", "message": "canary in a log"}
        await hub.post("/v1/reports", json=failed, headers=bearer(REPORT))
        caught = report("e" * 32) | {"stage": "fetched", "caught": True}
        await hub.post("/v1/reports", json=caught, headers=bearer(REPORT))
        for path in ("/", "/targets/a"):
            seen = (await hub.get(path, headers={"Accept": "text/html"})).text
            assert "building failed" in seen.lower()
            assert "canary" not in seen
            assert "create the webhook" not in seen
            signed_in = {"Accept": "text/html", **bearer(READ)}
            told = (await hub.get(path, headers=signed_in)).text
            assert "canary in a log" in told
            assert "create the webhook" in told


async def test_a_visitor_does_not_see_who_was_refused(tmp_path: Path) -> None:
    """Addresses are people's, too; that something was refused, and why, is no secret."""
    async with hub_client(settings(tmp_path, tokens=TOKENS[:-1])) as hub:
        await post(hub, push(A, secret=b"wrong"))
        refusal = await refused(hub)
        for path in ("/refusals", f"/refusals/{refusal['number']}"):
            seen = (await hub.get(path, headers={"Accept": "text/html"})).text
            assert refusal["detail"] in seen
            assert refusal["peer"] not in seen
            told = await hub.get(path, headers={"Accept": "text/html", **bearer(READ)})
            assert refusal["peer"] in told.text


async def refused(hub: httpx.AsyncClient) -> dict[str, Any]:
    """The newest refusal, once it is written."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            answer = await hub.get("/v1/refusals", headers=bearer(READ))
            if found := answer.json()["refusals"]:
                return dict(found[0])
            await asyncio.sleep(PAUSE_SECONDS)


def report(trace_id: str, target: str = "a") -> dict[str, Any]:
    """A stage of a push."""
    at = datetime.now(UTC).isoformat()
    return {
        "target": target, "stage": "built", "result": "ok", "version": f"v-{trace_id[:12]}",
        "started_at": at, "ended_at": at, "traceparent": f"00-{trace_id}-{'2' * 16}-01",
    }  # fmt: skip
