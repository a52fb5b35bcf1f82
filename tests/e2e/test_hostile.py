"""The hub's process under attack: what it needs meanwhile, and whom it still serves."""

import asyncio
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from directcd.demo.world import free_ports
from tests.support.commands import started
from tests.support.deliveries import SECRET, SHOP, Post, github

HUB = f"""
[hub]
listen = "127.0.0.1:{{port}}"
data = "{{data}}"
[hub.sources.main]
provider = "github"
secrets = ["{SECRET.decode()}"]
[hub.sources.tea]
provider = "gitea"
secrets = ["{SECRET.decode()}"]
"""
MIB = 1024 * 1024


@dataclass(frozen=True)
class RunningHub:
    """A hub's process."""

    port: int
    pid: int

    def kib(self, field: str) -> int:
        """A field of /proc/PID/status, in KiB."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.findall(rf"^{field}:\s*(\d+)", status, re.MULTILINE)[0])

    def forget_peak(self) -> None:
        """Let VmHWM begin anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")

    def open_connections(self) -> int:
        """How many sockets the process has."""
        descriptors = Path(f"/proc/{self.pid}/fd").iterdir()
        return sum("socket:" in _target(one) for one in descriptors)


def _target(descriptor: Path) -> str:
    with suppress(OSError):
        return str(descriptor.readlink())
    return ""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    """`directcd hub` with a GitHub and a Gitea source."""
    [port] = free_ports(1)
    file = tmp_path / "directcd.toml"
    file.write_text(HUB.format(port=port, data=tmp_path / "hub"))
    command = [sys.executable, "-m", "directcd", "hub", "-c", str(file)]
    with started(command, "listening") as process, _read_by_nobody(process):
        yield RunningHub(port, process.pid)


@contextmanager
def _read_by_nobody(process: "subprocess.Popen[str]") -> Iterator[None]:
    # Somebody must take what the hub logs, or it would wait for that.
    with subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL) as cat:
        try:
            yield
        finally:
            cat.kill()


def ten_kilobytes(number: int) -> Post:
    """A push of its own."""
    return github(
        "push",
        {
            "ref": "refs/heads/main",
            "before": "0" * 40,
            "after": f"{number:040x}",
            "repository": {"full_name": "acme/shop", "clone_url": SHOP},
            "padding": "x" * 10_000,
        },
    )


async def deliver(port: int, number: int) -> tuple[int, float]:
    """Deliver on a new connection; the status, and the seconds it took."""
    delivery = ten_kilobytes(number)
    headers = "".join(f"{name}: {value}\r\n" for name, value in delivery.headers.items())
    head = f"POST /webhooks/github/main HTTP/1.1\r\nHost: hub\r\n{headers}"
    head += f"Content-Length: {len(delivery.body)}\r\nConnection: close\r\n\r\n"
    asked = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode() + delivery.body)
    line = await reader.readline()
    took = time.monotonic() - asked
    await reader.read()
    writer.close()
    return int(line.split()[1]), took


def _tell(figures: str) -> None:
    sys.stdout.write(f"{figures}\n")  # shown by pytest -rP


def percentile_99(seconds: list[float]) -> float:
    """The 99th percentile."""
    return sorted(seconds)[int(len(seconds) * 0.99) - 1]


@pytest.mark.timeout(40)
async def test_a_gigabyte_of_hostile_bodies_costs_neither_memory_nor_others_time(
    hub: RunningHub,
) -> None:
    """
    100 connections, 1 GB that nobody signed: under 64 MiB more, and honest p99 under 100 ms.

    None of the hostile bodies is accepted, and none fails the hub.
    """
    await deliver(hub.port, 1)
    hub.forget_peak()
    base = hub.kib("VmRSS")
    command = [sys.executable, "-m", "tests.support.hostile", str(hub.port)]
    attack = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    ended = asyncio.ensure_future(attack.communicate())
    honest = []
    number = 2
    while not ended.done():
        honest.append(await deliver(hub.port, number))
        number += 1
        await asyncio.sleep(0.01)
    output, _ = await ended
    answers = Counter(output.decode().split())
    peak = hub.kib("VmHWM")
    honest_p99 = percentile_99([took for _, took in honest])
    _tell(f"{answers}, {(peak - base) // 1024} MiB more, honest p99 {honest_p99 * 1000:.1f} ms")
    assert {status for status, _ in honest} == {202}
    assert answers.total() == 100
    assert set(answers) <= {"401", "429", "503", "reset"}
    assert answers["401"] >= 20
    assert peak - base < 64 * 1024
    assert honest_p99 < 0.1


SLOW = {
    "silent": b"",
    "headers": b"POST /webhooks/github/main HTTP/1.1\r\nHost: hub\r\nX-Long: ",
    "body": b"POST /webhooks/github/main HTTP/1.1\r\nHost: hub\r\nContent-Length: 9999\r\n\r\n",
    "between": b"GET /livez HTTP/1.1\r\nHost: hub\r\n\r\n",
}


async def drip(port: int, start: bytes) -> bytes:
    """Send a start and then a byte a second, until the hub has closed; what it said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = asyncio.ensure_future(reader.read())
    with suppress(ConnectionError):
        writer.write(start)
        while not said.done():
            await asyncio.wait([said], timeout=1)
            if start:
                writer.write(b"\n" if start.startswith(b"GET") else b"x")
    writer.close()
    with suppress(ConnectionError):
        return await said
    return b""


@pytest.mark.timeout(40)
async def test_a_thousand_slow_connections_are_gone_in_twenty_seconds(hub: RunningHub) -> None:
    """Silent, dripping headers, a body, or nothing but line ends; honest ones are served."""
    before = hub.open_connections()
    began = time.monotonic()
    starts = [start for start in SLOW.values() for _ in range(250)]
    slow = [asyncio.ensure_future(drip(hub.port, start)) for start in starts]
    honest: list[tuple[int, float]] = []
    while not all(one.done() for one in slow):
        honest.append(await deliver(hub.port, len(honest) + 1))
        await asyncio.sleep(0.1)
    took = time.monotonic() - began
    said = [one.result() for one in slow]
    honest_p99 = percentile_99([seconds for _, seconds in honest])
    told = Counter(b"408 Request Timeout" in one for one in said)
    _tell(f"gone in {took:.1f} s, {told[True]} told, honest p99 {honest_p99 * 1000:.1f} ms")
    assert took < 20
    assert {status for status, _ in honest} == {202}
    assert honest_p99 < 0.1
    assert told[True] >= 490
    assert all(b"request-too-slow" in one for one in said if b" 408 " in one)
    assert hub.open_connections() <= before + 1
