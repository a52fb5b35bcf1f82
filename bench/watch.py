"""
Wake ten thousand clients that wait at /watch, beside a bare asyncio server that does the same.

The server is a real `directcd server` with one target, on one core; the clients are real
connections, on the other. Memory is the server's, before and after they have come to wait. A round
is a commit, a build and a publish, from whose log line the time counts until the last client has
the whole answer. The bare server parses nothing, knows one answer, and has a future a waiter.
The two take turns, with new processes each time.
"""

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

import httpx
import uvloop

from directcd.demo.world import free_ports
from tests.support.serving import BUILD_SH
from tests.support.sources import Source

WATCHERS = 10_000
TURNS = 3
ROUNDS = 3  # of a turn
SERVER_CORE, OWN_CORE = 0, 1
AT_ONCE = 200  # connections that are opened side by side
STILL_SECONDS = 1.0  # without using CPU: everybody has come
CONFIGURATION = """
[server]
listen = "127.0.0.1:%d"
data = "%s/data"
poll_interval_seconds = 10000
[[target]]
name = "app"
repositories = [{ url = "%s" }]
"""
PUBLISHED = "version published"
GET = b"GET %s HTTP/1.1\r\nhost: localhost\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s"


class Crowd:
    """The clients, and how many of them have not got the current answer."""

    def __init__(self) -> None:
        self.clients: list[Client] = []
        self.missing = 0
        self.reached = asyncio.Event()

    async def join(self, port: int) -> None:
        """Connect all of them."""
        loop = asyncio.get_running_loop()
        for _ in range(0, WATCHERS, AT_ONCE):
            connecting = (
                loop.create_connection(lambda: Client(self), "127.0.0.1", port)
                for _ in range(AT_ONCE)
            )
            self.clients += [client for _, client in await asyncio.gather(*connecting)]

    def ask(self, path: str) -> None:
        """Have all of them ask for the same."""
        self.missing = WATCHERS
        self.reached.clear()
        for client in self.clients:
            client.transport.write(GET % path.encode())

    def leave(self) -> None:
        """Go away."""
        for client in self.clients:
            client.transport.abort()

    def answered(self) -> None:
        """One more."""
        self.missing -= 1
        if self.missing == 0:
            self.reached.set()


class Client(asyncio.Protocol):
    """One connection that asks and waits."""

    transport: asyncio.Transport

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready to ask."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Look for the answer's end."""
        self.heard += data
        if self.heard.endswith(b"}"):
            self.heard = b""
            self.crowd.answered()


@dataclass
class Server:
    """A serving process, where it listens and what it logs."""

    pid: int
    port: int
    log: Path

    def memory_kib(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1024

    def cpu_seconds(self) -> float:
        """CPU time so far."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9

    async def settle(self) -> None:
        """Wait until it has nothing to do."""
        before = -1.0
        while self.cpu_seconds() > before + 0.01:
            before = self.cpu_seconds()
            await asyncio.sleep(STILL_SECONDS)

    def published_at(self) -> float:
        """The time of the newest publish."""
        line = [one for one in self.log.read_text().splitlines() if PUBLISHED in one][-1]
        return datetime.fromisoformat(line.split()[0]).timestamp()


@contextmanager
def served(directory: Path, *command: str, port: int) -> Iterator[Server]:
    """A process that listens on a port, on its core."""
    log = directory / f"{port}.log"
    pinned = ["taskset", "-c", str(SERVER_CORE), sys.executable, "-P", *command]
    with log.open("w") as stderr, subprocess.Popen(pinned, stderr=stderr) as process:
        try:
            while "listening" not in log.read_text():
                time.sleep(0.05)
            yield Server(process.pid, port, log)
        finally:
            process.kill()


class Ours:
    """`directcd server`, published to by real commits."""

    def __init__(self, server: Server, source: Source) -> None:
        self.server = server
        self.crowd = Crowd()
        self._source = source
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=60)
        self._version = ""

    async def begin(self) -> None:
        """Wait for the first version."""
        await self._watch()

    def path(self) -> str:
        """What the crowd asks for."""
        return f"/watch?repo={self._source.path}&version={self._version}&timeout=300"

    async def publish(self) -> float:
        """Commit, build, publish; when that was."""
        self._source.commit({"words": f"after {self._version}"})
        await self._http.post("/v1/targets/app/refresh")
        await self.crowd.reached.wait()
        published_at = self.server.published_at()
        await self._watch()
        return published_at

    async def _watch(self) -> None:
        self._version = (await self._http.get(self.path())).json()["version"]


class Bare:
    """The bare server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.crowd = Crowd()
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=60)

    async def begin(self) -> None:
        """Nothing to wait for."""

    def path(self) -> str:
        """What the crowd asks for."""
        return "/wait"

    async def publish(self) -> float:
        """Have everybody answered; when that was."""
        published_at = time.time()
        await self._http.get("/publish")
        await self.crowd.reached.wait()
        return published_at


async def arrive(side: Ours | Bare) -> float:
    """Have the crowd come to wait; the memory each takes, in KiB."""
    await side.begin()
    before = side.server.memory_kib()
    await side.crowd.join(side.server.port)
    side.crowd.ask(side.path())
    await side.server.settle()
    return (side.server.memory_kib() - before) / WATCHERS


async def wake(side: Ours | Bare) -> tuple[float, float]:
    """Publish, then let them wait again; CPU us each, and milliseconds until the last knew."""
    heard = asyncio.create_task(_heard(side.crowd))
    cpu = side.server.cpu_seconds()
    published_at = await side.publish()
    took = (await heard - published_at) * 1000
    cpu = (side.server.cpu_seconds() - cpu) * 1e6 / WATCHERS
    side.crowd.ask(side.path())
    await side.server.settle()
    return cpu, took


async def _heard(crowd: Crowd) -> float:
    await crowd.reached.wait()
    return time.time()


async def turn(side: Ours | Bare) -> tuple[float, ...]:
    """Memory a waiter takes (KiB); medians of CPU each (us) and time until the last knew (ms)."""
    memory = await arrive(side)
    woken = [await wake(side) for _ in range(ROUNDS)]
    side.crowd.leave()
    return memory, *map(statistics.median, zip(*woken, strict=True))


class BareProtocol(asyncio.Protocol):
    """One connection of the bare server."""

    transport: asyncio.Transport

    def __init__(self, waiting: "set[asyncio.Future[bytes]]") -> None:
        self._waiting = waiting
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready to answer."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Begin to wait, or answer all who do."""
        if data.startswith(b"GET /wait"):
            task = asyncio.get_running_loop().create_task(self._answer())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        waiting = list(self._waiting)
        self._waiting.clear()
        answer = ANSWER % (600, b"%599s}" % b"")
        for one in waiting:
            one.set_result(answer)
        self.transport.write(ANSWER % (2, b"{}"))

    async def _answer(self) -> None:
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        self.transport.write(await future)


async def serve_bare(port: int) -> None:
    """What the bare server runs."""
    waiting: set[asyncio.Future[bytes]] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: BareProtocol(waiting), "127.0.0.1", port, backlog=AT_ONCE * 2
    )
    print("listening", file=sys.stderr, flush=True)
    await server.serve_forever()


@contextmanager
def our_server() -> Iterator[Ours]:
    """The server of a repository with one commit."""
    [port] = free_ports(1)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        source = Source(directory / "app")
        source.commit({"build.sh": BUILD_SH, "words": "first"})
        configuration = directory / "directcd.toml"
        configuration.write_text(CONFIGURATION % (port, name, source.path))
        command = ("-m", "directcd", "server", "-c", str(configuration))
        with served(directory, *command, port=port) as server:
            yield Ours(server, source)


@contextmanager
def bare_server() -> Iterator[Bare]:
    """The bare one."""
    [port] = free_ports(1)
    with (
        tempfile.TemporaryDirectory() as name,
        served(Path(name), __file__, "--bare", str(port), port=port) as server,
    ):
        yield Bare(server)


def measured(make: Callable[[], AbstractContextManager[Ours | Bare]]) -> tuple[float, ...]:
    """One turn of one side."""
    with make() as side, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(turn(side))


def main() -> None:
    """Print memory and times of both, and their ratios."""
    os.sched_setaffinity(0, {OWN_CORE})
    turns = [(measured(our_server), measured(bare_server)) for _ in range(TURNS)]
    ours, bare = (
        [statistics.median(figure) for figure in zip(*side, strict=True)]
        for side in zip(*turns, strict=True)
    )
    for name, (kib, cpu, last) in (("directcd", ours), ("bare", bare)):
        print(f"{name:>9} {WATCHERS:,}: {kib:4.1f} KiB, {cpu:5.1f} us each, last at {last:6.1f} ms")
    ratios = (mine / least for mine, least in zip(ours, bare, strict=True))
    print("  to bare: memory {:.2f}, CPU {:.2f}, time {:.2f}".format(*ratios))


if __name__ == "__main__":
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    if sys.argv[1:2] == ["--bare"]:
        asyncio.run(serve_bare(int(sys.argv[2])))
    else:
        main()
