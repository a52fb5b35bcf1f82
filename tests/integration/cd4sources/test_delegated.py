"""Servers that build from git over HTTP, clients that run: all of it real, some of it killed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cd4sources.server import create_app
from cd4sources.settings import ServerSettings
from directcd.demo.world import free_ports
from directcd.life import Life
from directcd.serving import serve
from tests.integration.cd4sources.clients import current, running, settings
from tests.integration.cd4sources.programs import Journal, program
from tests.support.githttp import GitServer
from tests.support.serving import target_of
from tests.support.sources import Source
from tests.support.waiting import eventually

BUILD_SH = 'case "$1" in build) cp words app;; artifact) echo app;; esac\n'
CLIENTS = 20


@dataclass
class Server:
    """A running server that can be ended."""

    url: str
    stopping: asyncio.Event
    versions: Path

    @property
    def version(self) -> str:
        """What it offers, empty for nothing."""
        return current(self.versions)


@asynccontextmanager
async def serving(data: Path, repository: str) -> AsyncIterator[Server]:
    """A server that polls often, on a port of its own."""
    [port] = free_ports(1)
    app = create_app(
        ServerSettings(data=data, poll_interval_seconds=0.3), [target_of("shop", repository)]
    )
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(app, f"127.0.0.1:{port}", "server", Life(stopping)))
        yield Server(f"http://127.0.0.1:{port}", stopping, data / "versions" / "shop")
        stopping.set()


async def test_twenty_clients_of_three_servers_end_on_the_newest_version(tmp_path: Path) -> None:
    """One server after the other ends, a push after each: what is left brings it everywhere."""
    journal = Journal(tmp_path / "journal")
    source = Source(tmp_path / "git" / "shop")
    source.commit({"build.sh": BUILD_SH, "words": program(journal.path)})
    places = [tmp_path / f"client-{number}" for number in range(CLIENTS)]
    async with AsyncExitStack() as stack:
        git = stack.enter_context(GitServer.serving(tmp_path / "git"))
        url = git.url("shop")
        servers = [
            await stack.enter_async_context(serving(tmp_path / f"server-{number}", url))
            for number in range(3)
        ]
        for number, place in enumerate(places):
            urls = [servers[(number + step) % 3].url for step in range(3)]
            client = running(settings(place, *urls, settle_seconds=0), url)
            await stack.enter_async_context(client)
        await eventually(partial(all_run_what_is_offered, servers, places, ""))
        for _ in range(2):
            before = servers[0].version
            servers.pop(0).stopping.set()
            source.commit({"words": program(journal.path, f"# after {before}")})
            await eventually(partial(all_run_what_is_offered, servers, places, before))


def all_run_what_is_offered(servers: list[Server], places: list[Path], before: str) -> bool:
    offered = {server.version for server in servers}
    return len(offered - {"", before}) == 1 and {current(place) for place in places} == offered
