"""
What is kept, and what keeping it takes: bytes in Redis, CPU of Redis, memory of idle processes.

Every push goes to a repository of its own, through a real hub, in the usual 10 KB. Bytes are what
Redis says of each key (MEMORY USAGE of every entry); the sum is what its memory grew by, with its
tables. An append's CPU is that of Redis's whole process. Idle processes have done nothing yet.
"""

import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from bench.adapters import push
from bench.ingest import Command, cpu_seconds, hub_command, load, request_bytes, running
from directcd.demo.world import fetch, free_ports
from tests.support.redis_servers import RedisServer, single
from tests.support.serving import BUILD_SH
from tests.support.sources import Source

PUSHES = 5_000
ROUNDS = 3
SURE = ("--appendonly", "yes", "--appendfsync", "everysec")
STREAMS = {"log": "event", "deliveries": "delivery", "payloads": "payload"}
PASSING = {"seen": "telling repeats", "trace": "finding a trace", "done": "telling appends"}
SERVER = """
[server]
listen = "127.0.0.1:%d"
data = "%s/server"
[[target]]
name = "app"
repositories = [{ url = "%s" }]
"""


def pushes(number: int) -> list[bytes]:
    """Signed requests, each of a repository of its own."""
    template = push(8, "Change the basket")
    names = (b"acme/s%06d" % one for one in range(number))
    return [request_bytes(template.replace(b"acme/shop", name)) for name in names]


def kept(server: RedisServer) -> dict[str, float]:
    """Bytes of one entry of each kind; of what is remembered for a time, bytes of one push."""
    found: defaultdict[str, float] = defaultdict(float)
    with server.client() as client:
        for key in client.scan_iter(count=1000):
            name = key.decode().partition("{log}:")[2]
            used = float(client.memory_usage(key, samples=0) or 0)
            if kind := STREAMS.get(name):
                found[kind] = used / client.xlen(key)
            elif kind := PASSING.get(name.partition(":")[0]):
                found[kind] += used / PUSHES
            elif name == "heads":
                found["head"] = used / client.hlen(key)
    return found


def used_memory(server: RedisServer) -> int:
    """Bytes that Redis has allocated."""
    with server.client() as client:
        return int(client.info("memory")["used_memory"])


@contextmanager
def filled(options: tuple[str, ...]) -> Iterator[tuple[RedisServer, float, float]]:
    """A Redis that has taken all pushes; CPU (us) and bytes that each took."""
    with tempfile.TemporaryDirectory() as temporary:
        place, [port] = Path(temporary), free_ports(1)
        with (
            single(place / "redis", *options) as server,
            running(hub_command(place, server.port)(port), port),
        ):
            uvloop.run(load(port, pushes(1)))
            memory, cpu = used_memory(server), cpu_seconds(server.process.pid)
            uvloop.run(load(port, pushes(PUSHES)))
            cost = (cpu_seconds(server.process.pid) - cpu) / PUSHES * 1e6
            yield server, cost, (used_memory(server) - memory) / PUSHES


def appends() -> None:
    """Print what pushes leave in Redis, and what they cost it."""
    for name, options in {"in memory": (), "append-only file, everysec": SURE}.items():
        costs = []
        for _ in range(ROUNDS):
            with filled(options) as (server, cost, grown):
                costs.append(cost)
                bytes_of = kept(server)
        print(f"Redis, {name}: {statistics.median(costs):.0f} us CPU a push")
    for kind, used in bytes_of.items():
        print(f"{kind:>20} {used:8.0f} B")
    print(f"{'a push, all':>20} {grown:8.0f} B")


def server_command(place: Path) -> Command:
    """`directcd server` with one target, of a repository on this disk."""
    source = Source(place / "app")
    source.commit({"build.sh": BUILD_SH, "words": "one"})

    def command(port: int) -> list[str]:
        file = place / "directcd.toml"
        file.write_text(SERVER % (port, place, source.path))
        return [sys.executable, "-m", "directcd", "server", "-c", str(file)]

    return command


def idle() -> None:
    """Print what processes take that wait for work; the server has offered one version."""
    with tempfile.TemporaryDirectory() as temporary, single(Path(temporary) / "redis") as redis:
        places = [Path(temporary) / name for name in ("embedded", "shared", "server")]
        for place in places:
            place.mkdir()
        one, two, three = places
        waits("hub, embedded log", hub_command(one), "/livez")
        waits("hub, Redis", hub_command(two, redis.port), "/livez")
        waits("server", server_command(three), f"/watch?repo={three / 'app'}&timeout=4")


def waits(name: str, command: Command, path: str) -> None:
    """Print what a process takes once it has answered."""
    [port] = free_ports(1)
    with running(command(port), port) as pid:
        fetch(f"http://127.0.0.1:{port}{path}")
        print(f"{name:>20} {resident_mib(pid):6.1f} MiB resident")


def resident_mib(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


if __name__ == "__main__":
    idle()
    appends()
