"""`directcd hub` as a process of its own, and honest deliveries to it."""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Process:
    """A server's process."""

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


@contextmanager
def running_hub(place: Path) -> Iterator[Process]:
    """A hub with a GitHub and a Gitea source, its data below `place`."""
    [port] = free_ports(1)
    file = place / "directcd.toml"
    file.write_text(HUB.format(port=port, data=place / "hub"))
    command = [sys.executable, "-m", "directcd", "hub", "-c", str(file)]
    with started(command, "listening") as process, _read_by_nobody(process):
        yield Process(port, process.pid)


@contextmanager
def _read_by_nobody(process: "subprocess.Popen[str]") -> Iterator[None]:
    # Somebody must take what the hub logs, or it would wait for that.
    with subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL) as cat:
        try:
            yield
        finally:
            cat.kill()


def ten_kilobytes(number: int, secret: bytes = SECRET) -> Post:
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
        secret,
    )


async def deliver(port: int, number: int, secret: bytes = SECRET) -> tuple[int, float]:
    """Deliver on a new connection; the status, and the seconds it took."""
    delivery = ten_kilobytes(number, secret)
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


@dataclass(frozen=True)
class Siege:
    """What an attack did: the attackers' answers; status and seconds of each honest delivery."""

    answers: list[str]
    honest: list[tuple[int, float]]

    @property
    def honest_p99(self) -> float:
        """The 99th percentile, in seconds."""
        return percentile_99([took for _, took in self.honest])


async def besieged(port: int) -> Siege:
    """One honest delivery after the other for as long as `tests.support.hostile` attacks."""
    command = [sys.executable, "-m", "tests.support.hostile", str(port)]
    attack = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    ended = asyncio.ensure_future(attack.communicate())
    honest: list[tuple[int, float]] = []
    while not ended.done():
        honest.append(await deliver(port, len(honest) + 2))
        await asyncio.sleep(0.01)
    output, _ = await ended
    return Siege(output.decode().split(), honest)


def percentile_99(seconds: list[float]) -> float:
    """The 99th percentile."""
    return sorted(seconds)[int(len(seconds) * 0.99) - 1]
