"""
What one signed GitHub push costs: the server on one core, 32 connections from the other.

Figures are CPU microseconds a request of the server's process with all its threads (Redis is
another process, and not counted), the median of several rounds; then the ratios to a bare uvicorn
that accepts everything, and to the limit: uvicorn, HMAC and one PUBLISH, nothing parsed or kept.
A ratio is the median of those of each round.
"""

import asyncio
import hmac
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import uvloop

from bench.adapters import push, small
from bench.peers import (
    PATH,
    SECRET,
    aiohttp_command,
    debian_command,
    node_command,
    own_command,
    wait_until_listening,
)
from directcd.demo.world import free_ports
from tests.support.redis_servers import single

CONNECTIONS = 32
ROUNDS = 9
REQUESTS = 2_000  # a round
SERVER_CORE, LOAD_CORE = "0", 1
LEAST = ("bare uvicorn", "uvicorn + HMAC + PUBLISH (limit)")
SIZES = {"10 KB": push(8, "Change the basket"), "1 KB": small()}

Command = Callable[[int], list[str]]
NUMBERS = count(1)


def request_bytes(template: bytes) -> bytes:
    """A signed push of a commit of its own."""
    number = next(NUMBERS)
    body = template.replace(json.loads(template)["after"].encode(), b"%040x" % (number << 64))
    signature = hmac.digest(SECRET, body, "sha256").hex()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: hub.example.com\r\nUser-Agent: GitHub-Hookshot/044aadd\r\n"
        f"Content-Length: {len(body)}\r\nAccept: */*\r\nContent-Type: application/json\r\n"
        f"X-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-{number:012x}\r\nX-GitHub-Event: push\r\n"
        "X-GitHub-Hook-ID: 292430182\r\nX-GitHub-Hook-Installation-Target-ID: 79929171\r\n"
        "X-GitHub-Hook-Installation-Target-Type: repository\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\n\r\n"
    )
    return head.encode() + body


def cpu_seconds(pid: int) -> float:
    """What a process has used by now: its threads, and its children that ended."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    own = sum(int((one / "schedstat").read_text().split()[0]) for one in threads)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    return own / 1e9 + children


async def load(port: int, requests: list[bytes]) -> None:
    """Send every request, one after the other on each connection; all must be accepted."""
    waiting = iter(requests)

    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head[9:11] == b"20", head  # noqa: S101 - of a benchmark
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
            await reader.readexactly(int(length or 0))
        writer.close()

    await asyncio.gather(*(one_connection() for _ in range(CONNECTIONS)))


def measure(pid: int, port: int, template: bytes) -> float:
    """CPU microseconds a request."""
    requests = [request_bytes(template) for _ in range(REQUESTS)]
    before = cpu_seconds(pid)
    uvloop.run(load(port, requests))
    return (cpu_seconds(pid) - before) / len(requests) * 1e6


@contextmanager
def running(command: list[str], port: int) -> Iterator[int]:
    """A server on its core; its process id."""
    pinned = ["taskset", "-c", SERVER_CORE, *command]
    with subprocess.Popen(pinned, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until_listening(port)
            yield process.pid
        finally:
            process.kill()


def hub_command(data: Path, redis_port: int = 0) -> Command:
    """`directcd hub`, with the embedded log or with Redis."""

    def command(port: int) -> list[str]:
        file = data / "directcd.toml"
        redis = f'redis = "redis://127.0.0.1:{redis_port}"\n' if redis_port else ""
        file.write_text(
            f'[hub]\nlisten = "127.0.0.1:{port}"\ndata = "{data}/hub"\n{redis}'
            f'[hub.sources.main]\nprovider = "github"\nsecrets = ["{SECRET.decode()}"]\n'
        )
        return [sys.executable, "-m", "directcd", "hub", "-c", str(file)]

    return command


def servers(place: Path, redis_port: int) -> dict[str, Command]:
    """Everything that is measured, by name."""
    (place / "embedded").mkdir()
    (place / "redis").mkdir()
    return {
        LEAST[0]: own_command("bare"),
        LEAST[1]: own_command("limit", redis_port),
        "directcd hub, embedded log": hub_command(place / "embedded"),
        "directcd hub, Redis": hub_command(place / "redis", redis_port),
        "webhook (Debian), runs /bin/true": debian_command,
        "aiohttp + gidgethub": aiohttp_command,
        "node @octokit/webhooks": node_command,
    }


def compare(all_servers: dict[str, Command], template: bytes) -> None:
    """Print a table of one size."""
    with ExitStack() as stack:
        started = {name: start(stack, name, command) for name, command in all_servers.items()}
        there = {name: server for name, server in started.items() if server}
        # In turns: a neighbour on the machine halves its speed now and then, for all of them alike.
        rounds = [one_round(there, template) for _ in range(ROUNDS + 1)][1:]  # one to warm up
    for name in there:
        cost = statistics.median(one[name] for one in rounds)
        ratios = [statistics.median(one[name] / one[least] for one in rounds) for least in LEAST]
        shown = "   ".join(f"{ratio:5.2f}" for ratio in ratios)
        print(f"{name:>34} {cost:8.1f} us   ratios {shown}")


def one_round(there: dict[str, tuple[int, int]], template: bytes) -> dict[str, float]:
    """What a request costs each of the servers now, in CPU microseconds."""
    return {name: measure(*server, template) for name, server in there.items()}


def start(stack: ExitStack, name: str, command: Command) -> tuple[int, int] | None:
    """Start a server; its process id and port, None when it cannot be had here."""
    [port] = free_ports(1)
    try:
        pid = stack.enter_context(running(command(port), port))
        uvloop.run(load(port, [request_bytes(small())]))
    except (OSError, subprocess.SubprocessError, AssertionError) as error:
        print(f"{name:>34}  not measured: {error!r:.100}")
        return None
    return pid, port


def main() -> None:
    """Print a table for each size."""
    os.sched_setaffinity(0, {LOAD_CORE})
    with (
        tempfile.TemporaryDirectory() as temporary,
        single(Path(temporary) / "server") as redis,
    ):
        everything = servers(Path(temporary), redis.port)
        for size, template in SIZES.items():
            print(f"{size} ({len(template):,} B)")
            compare(everything, template)


if __name__ == "__main__":
    main()
