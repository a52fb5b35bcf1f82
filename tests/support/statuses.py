"""A hub that writes at a fake forge, with who pushes there and who reports to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from hub.forges.opening import forge_of
from hub.forges.values import Place
from hub.settings import HubSettings
from tests.support.deliveries import SECRET
from tests.support.forge_apis.forge import FakeForge, FakeHook
from tests.support.forge_apis.subjects import closing, source_of
from tests.support.hubs import serving_hub
from tests.support.waiting import DEADLINE_SECONDS, PAUSE_SECONDS, eventually

MAIN = "refs/heads/main"
NAME = "Acme/Shop"
PUBLIC_URL = "https://hub.example.com"
A, B, C = (letter * 40 for letter in "abc")
NO_TROUBLE = {"problem": "", "next": "", "at": ""}


def writing(data: Path, fake: FakeForge, provider: str, **changes: Any) -> HubSettings:
    """A hub with one source `main`, which has the token of a fake."""
    of_hub = {name: changes.pop(name) for name in ("redis", "public_url") if name in changes}
    values = {"secrets": (SecretStr(SECRET.decode()),)} | changes
    source = source_of(fake, provider, **values)
    whole = {"data": data, "public_url": PUBLIC_URL, "sources": {"main": source}} | of_hub
    return HubSettings.model_validate(whole)


@dataclass
class Shop:
    """
    The target `shop`, made of a repository at a fake forge.

    Attributes:
        fake: the forge.
        url: of a hub that its webhook calls.
        hub: a client of that.
    """

    fake: FakeForge
    url: str
    hub: httpx.AsyncClient
    before: str = "0" * 40
    traces: dict[str, str] = field(default_factory=dict)

    async def push(self, commit: str) -> None:
        """Push a commit; the hub is told, and the server hears of it."""
        before, self.before = self.before, commit
        answers = await asyncio.to_thread(self.fake.push, NAME, MAIN, before, commit)
        assert [200 <= one < 300 for one in answers] == [True]
        await self._heard(commit)

    async def announced(self, commit: str) -> None:
        """The same where no webhook is registered: the hub is asked to tell of it."""
        found = self.fake.repositories[NAME.lower()]
        before, self.before = self.before, commit
        delivery = self.fake.pushed(found, MAIN, before, commit)
        hook = FakeHook(0, NAME.lower(), f"{self.url}/webhooks/github/main", SECRET.decode(), [])
        assert await asyncio.to_thread(self.fake.deliver, hook, delivery) == 202
        await self._heard(commit)

    async def _heard(self, commit: str) -> None:
        listed = (await self.hub.get("/v1/deliveries")).json()["deliveries"]
        # A new webhook is sent a ping as well, some time.
        numbers = [one["number"] for one in listed if one["verdict"] != "ping"]
        found = (await self.hub.get(f"/v1/deliveries/{numbers[0]}")).json()
        [self.traces[commit]] = found["trace_ids"]
        await self.report(commit, "notified")

    async def report(self, commit: str, stage: str, result: str = "ok", **more: Any) -> None:
        """Report a stage of a push."""
        now = datetime.now(UTC).isoformat()
        trace_id = self.traces.get(commit, commit[:1] * 32)
        document = {
            "target": "shop",
            "stage": stage,
            "result": result,
            "started_at": now,
            "ended_at": now,
            "traceparent": f"00-{trace_id}-{'1' * 16}-01",
            "reporter": "server",
        }
        answer = await self.hub.post("/v1/reports", json=document | more)
        assert answer.status_code == 202, answer.text

    async def built(self, commit: str, version: str = "v-1") -> None:
        """Fetch, build and publish what was pushed."""
        await self.report(commit, "fetched", commits=[["shop", commit]])
        await self.report(commit, "built", version=version)
        await self.report(commit, "published", version=version)

    async def ran(self, commit: str, client: str, version: str = "v-1", **more: Any) -> None:
        """A client runs what was built, or says how it did not."""
        await self.report(commit, "running", **{"version": version, "reporter": client} | more)

    async def failed(self, commit: str, message: str) -> None:
        """It cannot be built."""
        await self.report(commit, "fetched", commits=[["shop", commit]])
        await self.report(commit, "built", "failed", version="v-1", message=message)

    @property
    def said(self) -> list[tuple[str, str, str]]:
        """What stands beside commits: commit, state and description, in the order of writing."""
        return [
            (commit, document["state"], document["description"])
            for _, commit, document in self.fake.statuses
        ]

    async def until_said(self, *expected: tuple[str, str, str]) -> None:
        """Wait for the last that is written."""
        await eventually(lambda: self.said[-len(expected) :] == list(expected))

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for anything else."""
        await eventually(condition)


@asynccontextmanager
async def shop_of(settings: HubSettings, fake: FakeForge) -> AsyncIterator[Shop]:
    """A hub behind a socket whose webhook is registered at the fake; both fresh."""
    fake.repository(NAME)
    source = settings.sources["main"]
    async with hub_of_shop(settings, fake) as shop:
        async with closing(forge_of("main", source)) as forge:
            hook = f"{shop.url}/webhooks/{source.provider}/main"
            await forge.create_hook(Place(NAME), hook, SECRET.decode())
        fake.requests.clear()
        yield shop


@asynccontextmanager
async def hub_of_shop(settings: HubSettings, fake: FakeForge) -> AsyncIterator[Shop]:
    """A hub behind a socket, and a client of it."""
    async with (
        serving_hub(settings) as (url, *_),
        httpx.AsyncClient(base_url=url) as hub,
    ):
        yield Shop(fake, url, hub)


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Why statuses were refused, as far as the log says."""
    said = [one for one in caplog.records if one.getMessage() == "commit status refused"]
    return [str(one.__dict__["reason"]) for one in said]


async def trouble(shop: Shop) -> dict[str, str]:
    """What the source shows of its forge."""
    [source] = (await shop.hub.get("/v1/sources")).json()["sources"]
    found: dict[str, str] = source["statuses"]
    return found


async def until_counted(shop: Shop, result: str, number: int) -> None:
    """Wait until so many attempts have ended so."""
    line = f'directcd_hub_commit_statuses_total{{result="{result}",source="main"}} {number}.0'
    async with asyncio.timeout(DEADLINE_SECONDS):
        while line not in (await shop.hub.get("/metrics")).text:
            await asyncio.sleep(PAUSE_SECONDS)
