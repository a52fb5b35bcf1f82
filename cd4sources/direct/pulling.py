"""
Pulls, builds and runs one target in one process.

The worker is a server's, what runs its versions is a client's; each has its directory. What stands
between them is `offers` and `taking`, in place of /watch and /download.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from cd4sources.building import NoToolchain
from cd4sources.delivery.delivering import Round
from cd4sources.delivery.hosting import Host
from cd4sources.delivery.installed import Installed
from cd4sources.delivery.judging import Judge
from cd4sources.direct.offers import LocalWatch
from cd4sources.direct.taking import LocalDownloads
from cd4sources.following import Follower
from cd4sources.http import Http
from cd4sources.reporting import Witness
from cd4sources.running.commands import INHERITED, Outputs
from cd4sources.settings import ClientSettings, ServerSettings
from cd4sources.targets import Target
from cd4sources.wakes import Wake
from cd4sources.workers import Hub, Workers, workers

REPORT_SECONDS = 2.0
"""A hub that is away keeps nobody longer."""


@dataclass(frozen=True)
class Once:
    """What a single look came to: `error` is what ended it early, such as BuildFailed."""

    error: Exception | None
    came_to: Round


class Direct:
    """
    Delivers one target from its repositories to this machine.

    Args:
        server: How it is pulled and built, and where.
        client: How it is run, and where; `servers` and what belongs to them is not looked at.
        target: What is pulled.
        hub: How to reach the hub. Default: over HTTP, at `server.hub` if there is one.
        witness: Who is told of every stage in this process.
        outputs: Where the program's output goes. Default: where ours goes.
    """

    def __init__(
        self,
        server: ServerSettings,
        client: ClientSettings,
        target: Target,
        *,
        hub: Hub | None = None,
        witness: Witness | None = None,
        outputs: Outputs = INHERITED,
    ) -> None:
        """Start nothing yet."""
        self._server = server
        self._client = client
        self._target = target
        self._hub = hub
        self._witness = witness
        self._outputs = outputs
        self._host: Host | None = None

    @property
    def version(self) -> str | None:
        """The version that is kept running, None for none."""
        return self._host.version if self._host else None

    async def run(self, stopping: asyncio.Event, settled: asyncio.Event | None = None) -> None:
        """
        Pull, build and run until told to stop; then end the program gracefully and return.

        Args:
            stopping: Set it to stop.
            settled: Is set when the program runs, or none could be had at the first attempt.

        Raises:
            NoToolchain: There is nothing to build with, and nothing is built that could run.
            DataInUse: Another process works in one of the directories.
            AddressUnusable: One of the settings' sockets cannot be had.
        """
        async with self._made() as (made, follower, host), asyncio.TaskGroup() as tasks:
            self._host = host
            working = tasks.create_task(_work(follower, made), name="work")
            ending = tasks.create_task(_end_when(stopping, working), name="end")
            try:
                await host.run(partial(_supply, follower, made), stopping, settled)
            finally:
                working.cancel()
                ending.cancel()

    async def once(self) -> Once:
        """
        Look once, have the newest version run, and leave it running.

        Raises:
            NoToolchain: There is nothing to build with, and nothing is built that could run.
            DataInUse: Another process works in one of the directories.
            AddressUnusable: One of the settings' sockets cannot be had.
        """
        async with self._made() as (made, follower, host):
            reporting = asyncio.create_task(made.reporter.run(), name="report")
            error = await _look(follower)
            came_to = await host.once(partial(_supply, follower, made))
            await made.reporter.posted(REPORT_SECONDS)
            reporting.cancel()
            return Once(error, came_to)

    @asynccontextmanager
    async def _made(self) -> AsyncIterator[tuple[Workers, Follower, Host]]:
        targets = [self._target]
        async with (
            workers(self._server, targets, hub=self._hub, witness=self._witness) as made,
            Http() as http,
        ):
            host = Host(self._client, http, made.reporter, lambda _: None, outputs=self._outputs)
            yield made, made.followers[self._target.name], host

    def send_signal(self, number: signal.Signals) -> None:
        """Pass a signal on to the program's first process, if it runs."""
        if self._host:
            self._host.send_signal(number)


def _origin_of(target: Target) -> str:
    """Names the repositories that a target is made of; holds no credential."""
    return " ".join(f"{one.url}@{one.ref or 'HEAD'}" for one in target.repositories)


def _supply(
    follower: Follower, made: Workers, installed: Installed, judge: Judge
) -> tuple[LocalWatch, LocalDownloads]:
    origin = _origin_of(follower.target)
    downloads = LocalDownloads(follower, made.store, installed, judge, origin)
    return LocalWatch(follower.offer, origin), downloads


async def _work(follower: Follower, made: Workers) -> None:
    """Look once, and then follow."""
    await _look(follower)
    async with made.at_work():
        await asyncio.Event().wait()


async def _look(follower: Follower) -> Exception | None:
    """Look for the first time; what can never end well on this machine ends all."""
    error = await follower.look(Wake("start"))
    if isinstance(error, NoToolchain) and follower.offer.current is None:
        raise error
    return error


async def _end_when(stopping: asyncio.Event, working: "asyncio.Task[None]") -> None:
    """Build no longer when all is to end: the program may take its time to stop."""
    await stopping.wait()
    working.cancel()
