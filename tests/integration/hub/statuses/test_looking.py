"""Which targets are looked at when, over a real log and with a clock of the test's own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest

from hub.log.sqlite import SqliteLog
from hub.log.values import StageReport
from hub.settings import SourceSettings
from hub.sources import build_sources
from hub.statuses.composing import Composer
from hub.statuses.looking import OLD, Looking
from hub.statuses.places import Places
from hub.subscriptions import NewSubscription, Registry
from hub.wants import make_want

A, B = "a" * 40, "b" * 40
GITHUB = {"main": SourceSettings(provider="github", insecure=True)}


@dataclass
class Clocked:
    """A log, whoever reports to it, and what looks at it."""

    log: SqliteLog
    now: datetime = datetime(2026, 5, 1, 12, tzinfo=UTC)
    looking: Looking = field(init=False)

    async def __aenter__(self) -> Self:
        """With a server that follows the shop and the till."""
        await self.log.open()
        registry = Registry(self.log)
        wants = tuple(make_want(f"https://github.com/acme/{name}") for name in ("shop", "till"))
        await registry.put(NewSubscription("s1", wants, timedelta(days=90)), self.now)
        places = Places(build_sources(GITHUB), GITHUB)
        composer = Composer(registry, places, {"main": ["status"]}, "", str)
        self.looking = Looking(self.log, composer, lambda: self.now)
        return self

    async def __aexit__(self, *_: object) -> None:
        """No more."""
        await self.log.close()

    async def report(self, stage: str, target: str = "shop", **more: Any) -> None:
        """A stage that ends now."""
        values: dict[str, Any] = {"reporter": "server", "is_caught": True} | more
        told = StageReport(target, stage, "ok", self.now, self.now, "1" * 32, **values)
        await self.log.report(told)

    async def built(self, commit: str, version: str, target: str = "shop") -> None:
        """It is offered."""
        await self.report("fetched", target, commits=((target, commit),))
        await self.report("published", target, version=version)

    async def found(self, most: int = 100) -> list[tuple[str, str]]:
        """What is to be said now: targets and texts."""
        return [(job.target, job.status.description) for job in await self.looking.look(most)]


@pytest.fixture
async def clocked(tmp_path: Path) -> AsyncIterator[Clocked]:
    """Nothing reported yet."""
    async with Clocked(SqliteLog(tmp_path)) as made:
        yield made


async def test_only_targets_with_new_reports_are_looked_at(clocked: Clocked) -> None:
    """Some at a time, when there are many."""
    await clocked.built(A, "v-1")
    await clocked.built(A, "v-1", "till")
    first = await clocked.found(1)
    assert clocked.looking.has_more
    assert first + await clocked.found(1) == [("shop", "built v-1"), ("till", "built v-1")]
    assert not clocked.looking.has_more
    assert await clocked.found() == []
    await clocked.report("running", "till", version="v-1", reporter="c1")
    assert await clocked.found() == [("till", "running on 1/1 client")]
    clocked.looking.forget()
    assert len(await clocked.found()) == 2


async def test_a_client_that_is_silent_for_a_day_is_noticed_without_a_report(
    clocked: Clocked,
) -> None:
    """And not sooner, and once."""
    await clocked.built(A, "v-1")
    for client in ("c1", "c2"):
        await clocked.report("running", version="v-1", reporter=client)
    await clocked.built(B, "v-2")
    await clocked.report("running", version="v-2", reporter="c1")
    assert ("shop", "built v-2; running on 1/2 clients") in await clocked.found()
    clocked.now += timedelta(hours=23)
    assert await clocked.found() == []
    clocked.now += timedelta(hours=2)
    assert ("shop", "running on 1/1 client") in await clocked.found()
    clocked.now += timedelta(hours=48)
    assert await clocked.found() == []


async def test_what_was_reported_long_ago_is_not_told_by_a_hub_that_begins(
    clocked: Clocked,
) -> None:
    """Nobody waits for that."""
    await clocked.built(A, "v-1")
    clocked.now += OLD + timedelta(seconds=1)
    await clocked.built(A, "v-1", "till")
    assert await clocked.found() == [("till", "built v-1")]
