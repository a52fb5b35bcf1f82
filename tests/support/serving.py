"""
A cd4sources server in this process, with its whole lifespan, and a client that asks it: `serving`
without a network, `listening` as the command does it, behind a port.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from cd4sources.following import Follower
from cd4sources.reporting import StageReport
from cd4sources.server import create_app
from cd4sources.settings import RepositorySettings, ServerSettings, TargetSettings
from cd4sources.targets import Target
from cd4sources.wakes import Wake
from directcd import serving as process
from directcd.demo.world import free_ports
from directcd.life import Life
from tests.support.waiting import eventually

BUILD_SH = 'case "$1" in build) cp words artifact.txt;; artifact) echo artifact.txt;; esac\n'
"""A build.sh whose artifact holds what the file `words` holds."""


def target_of(name: str, *urls: Path | str, ref: str = "", **settings: Any) -> Target:
    """A target of local repositories or URLs, all at the same ref."""
    repositories = tuple(RepositorySettings(url=SecretStr(str(url)), ref=ref) for url in urls)
    return Target.from_settings(TargetSettings(name=name, repositories=repositories, **settings))


@dataclass(frozen=True)
class Serving:
    """A running server."""

    app: FastAPI
    http: httpx.AsyncClient

    def follower(self, name: str = "app") -> Follower:
        """The worker of a target."""
        found: Follower = self.app.state.followers[name]
        return found

    async def words(self) -> str:
        """What the artifact on offer holds."""
        (repository,) = self.follower().target.repositories
        return (await self.http.get("/download", params={"repo": repository.url})).text

    async def look(self, name: str = "app") -> Follower:
        """Have one more pass made, and wait for its end."""
        follower = self.follower(name)
        before = follower.last_pass_at
        follower.wake(Wake("poll"))
        await eventually(lambda: follower.last_pass_at != before)
        return follower


async def offers(follower: Follower, commit: str) -> None:
    """Wait until what is offered was made of this commit."""
    await eventually(lambda: (now := follower.offer.current) and now.lockset == (commit,))


class _Listener:
    """A hub that says nothing and keeps what it is told."""

    def __init__(self, reports: list[StageReport]) -> None:
        self._reports = reports

    async def follow(self, *_: object) -> NoReturn:
        while True:
            await asyncio.sleep(1000)

    async def report(self, report: StageReport) -> None:
        self._reports.append(report)


@asynccontextmanager
async def serving(
    data: Path, *targets: Target, reports: list[StageReport] | None = None, **settings: Any
) -> AsyncIterator[Serving]:
    """
    Run a server that polls so rarely that a test must wake it, and wait for the first passes.

    With `reports`, what it tells its hub is put there.
    """
    values = {"data": data, "poll_interval_seconds": 1000.0, **settings}
    hub = None if reports is None else _Listener(reports)
    app = create_app(ServerSettings(**values), targets, hub=hub)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as http,
    ):
        running = Serving(app, http)
        for target in targets:
            follower = running.follower(target.name)
            await eventually(lambda follower=follower: follower.last_pass_at is not None)  # type: ignore[misc]
        yield running


@asynccontextmanager
async def listening(data: Path, *targets: Target, **settings: Any) -> AsyncIterator[Serving]:
    """Run a server on a real port, as `directcd server` does."""
    [port] = free_ports(1)
    values = {"data": data, "poll_interval_seconds": 1000.0, **settings}
    app = create_app(ServerSettings(**values), targets)
    stopping = asyncio.Event()
    async with (
        asyncio.TaskGroup() as tasks,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        tasks.create_task(process.serve(app, f"127.0.0.1:{port}", "server", Life(stopping)))
        await eventually(lambda: app.state.followers)
        await eventually(lambda: all(one.last_pass_at for one in app.state.followers.values()))
        yield Serving(app, http)
        stopping.set()
