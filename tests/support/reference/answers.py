"""What hub and server answer, asked for it here and now, by `METHOD /path` of their documents."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.support.deliveries import MAIN, SHOP, A, push
from tests.support.hubs import hub_client, post, settings
from tests.support.reference.forms import form
from tests.support.serving import BUILD_SH, Serving, serving, target_of
from tests.support.sources import Source
from tests.support.waiting import DEADLINE_SECONDS

Answers = Mapping[str, str]

_LIBRARY = "https://github.com/acme/library.git"
_NOBODY = "http://127.0.0.1:1/"  # where no receiver is, so that it becomes a dead letter


class _Asking:
    """Asks, and keeps the form of what is answered."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.forms: dict[str, str] = {}

    async def __call__(self, operation: str, path: str = "", **given: Any) -> Any:
        """Ask at a path that the operation's stands for; what was answered."""
        method, template = operation.split(" ")
        answer = await self.client.request(method, path or template, **given)
        assert answer.is_success, f"{operation}: {answer.status_code} {answer.text}"
        self.forms[operation] = form(answer.json())
        return answer.json()


def hub_answers(place: Path) -> Answers:
    """The hub's."""

    async def ask() -> Answers:
        data = settings(place / "hub", callback_retry_seconds=0.0, callback_allow_private=True)
        async with hub_client(data) as client:
            asking = _Asking(client)
            await _ask_of_subscriptions(asking)
            await _ask_of_deliveries(asking)
            await _ask_of_the_trail(asking)
            await _ask_of_dead_letters(asking)
            for path in ("/livez", "/readyz"):
                await asking(f"GET {path}")
            return asking.forms

    return _run(ask)


def server_answers(place: Path) -> Answers:
    """The server's, of one target with one version."""
    source = Source(place / "app")
    source.commit({"build.sh": BUILD_SH, "words": "one"})

    async def ask() -> Answers:
        async with serving(place / "server", target_of("app", source.path)) as running:
            asking = _Asking(running.http)
            await asking("GET /watch", params={"repo": str(source.path), "timeout": 0})
            await _ask_of_targets(asking, running)
            return asking.forms

    return _run(ask)


async def _ask_of_subscriptions(asking: _Asking) -> None:
    wanted = [{"url": SHOP, "ref": "main"}]
    stream = {"name": "s1", "repositories": wanted, "lease_seconds": 600}
    callback = {"mode": "callback", "url": _NOBODY}
    posted = {"name": "c1", "repositories": [{"url": _LIBRARY}], "deliver": callback}
    await asking("POST /v1/subscriptions", json=posted)
    made = await asking.client.post("/v1/subscriptions", json=stream)
    path = f"/v1/subscriptions/{made.json()['id']}"
    one = "/v1/subscriptions/{subscription_id}"
    await asking("GET /v1/subscriptions")
    await asking(f"GET {one}", path)
    await asking(f"PUT {one}/lease", f"{path}/lease", json={"lease_seconds": 600})
    for verb in ("pause", "resume"):
        await asking(f"POST {one}/{verb}", f"{path}/{verb}")


async def _ask_of_deliveries(asking: _Asking) -> None:
    delivery = push(A)
    accepted = await post(asking.client, delivery)
    unwanted = await post(asking.client, push(A, ref="refs/heads/unwanted"))
    explained = form(accepted.json(), unwanted.json())
    asking.forms["POST /webhooks/{provider}/{source}"] = explained
    await post(asking.client, push(A, secret=b"wrong"))
    await asking("GET /v1/deliveries")
    await asking("GET /v1/heads")
    await _until(asking, "GET /v1/refusals", "refusals")
    await asking("GET /v1/sources")
    await asking("GET /v1/deliveries/{number}", "/v1/deliveries/1")
    one = "/v1/deliveries/{number}"
    await asking(f"GET {one}/explanation", "/v1/deliveries/1/explanation")
    await asking(f"POST {one}/redeliver", "/v1/deliveries/1/redeliver", json={})
    copied = {"provider": "github", "headers": delivery.headers, "body": delivery.body.decode()}
    await asking("POST /v1/explain", json=copied)
    await asking("POST /v1/notify", json={"repository": SHOP})


async def _ask_of_the_trail(asking: _Asking) -> None:
    polled = {"repository": SHOP, "after": "none"}
    cursor = (await asking.client.get("/v1/events", params=polled)).json()["cursor"]
    await post(asking.client, push(A, ref=MAIN, before="b" * 40))
    told = await asking("GET /v1/events", params={"repository": SHOP, "after": cursor})
    now = told["events"][0]["time"]
    report = {
        "target": "shop",
        "stage": "running",
        "result": "ok",
        "version": "v-0123456789ab",
        "started_at": now,
        "ended_at": now,
        "traceparent": told["events"][0]["traceparent"],
    }
    await asking("POST /v1/reports", json=report)
    await asking("GET /v1/targets")
    await asking("GET /v1/targets/{target}/timeline", "/v1/targets/shop/timeline")
    await asking("GET /v1/traces/{needle}", f"/v1/traces/{A}")


async def _ask_of_dead_letters(asking: _Asking) -> None:
    await post(asking.client, push(A, url=_LIBRARY))
    found = await _until(asking, "GET /v1/dead-letters", "dead_letters")
    number = found[0]["number"]
    await asking("GET /v1/dead-letters/{number}", f"/v1/dead-letters/{number}")


async def _until(asking: _Asking, operation: str, member: str) -> Any:
    """What a list holds as soon as it holds something."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (found := (await asking(operation))[member]):
            await asyncio.sleep(0.01)
    return found


async def _ask_of_targets(asking: _Asking, running: Serving) -> None:
    current = running.follower().offer.current
    assert current
    await asking("GET /v1/targets")
    one = "/v1/targets/{name}"
    await asking(f"GET {one}", "/v1/targets/app")
    await asking(f"GET {one}/versions", "/v1/targets/app/versions")
    await asking(f"POST {one}/pin", "/v1/targets/app/pin", json={"version": current.version})
    await asking(f"POST {one}/unpin", "/v1/targets/app/unpin")
    [build] = (await asking("GET /v1/builds"))["builds"]
    await asking("GET /v1/builds/{build}", f"/v1/builds/{build['id']}")
    for verb in ("refresh", "rebuild"):
        await asking(f"POST {one}/{verb}", f"/v1/targets/app/{verb}")
    for path in ("/livez", "/readyz"):
        await asking(f"GET {path}")


def _run(ask: Callable[[], Coroutine[Any, Any, Answers]]) -> Answers:
    return asyncio.run(ask())
