"""A hub to test against: in this process, with its real log, with or without a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from directcd import serving
from directcd.demo.world import free_ports
from directcd.life import Life
from hub.app import Hub, create_app
from hub.settings import HubSettings, SourceSettings
from tests.support.deliveries import SECRET, Post
from tests.support.waiting import DEADLINE_SECONDS

WEBHOOK = "/webhooks/github/main"


def settings(data: Path, **changes: Any) -> HubSettings:
    """One GitHub and one Gitea source with the same secret."""
    secrets = (SecretStr(SECRET.decode()),)
    sources = {
        "main": SourceSettings(provider="github", secrets=secrets),
        "tea": SourceSettings(provider="gitea", secrets=secrets),
    }
    return HubSettings(data=data, **({"sources": sources} | changes))


@asynccontextmanager
async def hub_client(hub_settings: HubSettings) -> AsyncIterator[httpx.AsyncClient]:
    """A client that calls a hub's application directly."""
    app = create_app(hub_settings)
    async with app.router.lifespan_context(app), client_of(app) as client:
        yield client


def client_of(app: Hub) -> httpx.AsyncClient:
    """Who calls an application directly, by a name of this machine."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


async def post(client: httpx.AsyncClient, delivery: Post, path: str = WEBHOOK) -> httpx.Response:
    """Post a delivery."""
    return await client.post(path, content=delivery.body, headers=delivery.headers)


def hub_of(data: Path, provider: str, **changes: Any) -> HubSettings:
    """A hub with one source `main`."""
    secrets = () if changes.get("secrets_files") else (SecretStr(SECRET.decode()),)
    source = SourceSettings(provider=provider, **({"secrets": secrets} | changes))
    return HubSettings(data=data, sources={"main": source})


def secrets(*values: str) -> tuple[SecretStr, ...]:
    """Secrets as settings hold them."""
    return tuple(SecretStr(value) for value in values)


async def subscribe(hub: httpx.AsyncClient, url: str, ref: str = "") -> str:
    """Subscribe a server named `s1`; where it starts."""
    body = {"name": "s1", "repositories": [{"url": url, "ref": ref}]}
    cursor: str = (await hub.post("/v1/subscriptions", json=body)).json()["cursor"]
    return cursor


async def told(hub: httpx.AsyncClient, url: str, after: str) -> list[dict[str, Any]]:
    """What a subscriber of this URL has heard of since."""
    answer = await hub.get("/v1/events", params={"repository": url, "after": after, "timeout": 0})
    events: list[dict[str, Any]] = answer.json()["events"] if answer.status_code == 200 else []
    return [event["data"] for event in events]


async def source_view(hub: httpx.AsyncClient) -> dict[str, Any]:
    """The only source, as the API shows it."""
    [view] = (await hub.get("/v1/sources")).json()["sources"]
    found: dict[str, Any] = view
    return found


@asynccontextmanager
async def serving_hub(
    hub_settings: HubSettings, port: int = 0
) -> AsyncIterator[tuple[str, asyncio.Event, Hub]]:
    """A hub behind a real socket: its URL, the event that tells it to stop, and itself."""
    port = port or free_ports(1)[0]
    app: Hub = create_app(hub_settings)
    stopping = asyncio.Event()
    async with serving_app(app, port, stopping) as url:
        yield url, stopping, app


@asynccontextmanager
async def serving_app(
    app: Hub, port: int, stopping: asyncio.Event | None = None
) -> AsyncIterator[str]:
    """A hub behind a port of this machine, until it is told to stop, or the block ends."""
    stopping = stopping or asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serving.serve(app, f"127.0.0.1:{port}", "hub", Life(stopping)))
        await _until_ready(f"http://127.0.0.1:{port}")
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            stopping.set()


async def _until_ready(url: str) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS), httpx.AsyncClient() as client:
        while True:
            try:
                await client.get(f"{url}/livez")
            except httpx.ConnectError:
                await asyncio.sleep(0.01)
            else:
                return
