"""
What a gigabyte of bodies that nobody signed costs the hub, and whoever is honest meanwhile.

100 connections send 25 MiB each, all at once, while one honest delivery follows the other. Beside
the hub stands a bare uvicorn that reads every body and accepts it, and each of them in peace. All
of it runs on the same cores, the attackers too. Memory is the peak beyond what the server needs
before.
"""

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.peers import own_command, wait_until_listening
from directcd.demo.world import free_ports
from tests.support.hub_process import Process, besieged, deliver, percentile_99, running_hub

PEACEFUL = 300  # deliveries


@contextmanager
def bare_uvicorn() -> Iterator[Process]:
    """A server that takes everything, and keeps nothing once it has answered."""
    [port] = free_ports(1)
    with subprocess.Popen(own_command("bare")(port)) as process:
        try:
            wait_until_listening(port)
            yield Process(port, process.pid)
        finally:
            process.kill()


async def in_peace(port: int) -> float:
    """The 99th percentile of honest deliveries, in seconds."""
    return percentile_99([(await deliver(port, number))[1] for number in range(PEACEFUL)])


async def measured(server: Process) -> tuple[float, float, float]:
    """In peace and under attack: honest p99 in milliseconds; then the MiB that the attack cost."""
    peaceful = await in_peace(server.port)
    server.forget_peak()
    before = server.kib("VmRSS")
    siege = await besieged(server.port)
    return peaceful * 1e3, siege.honest_p99 * 1e3, (server.kib("VmHWM") - before) / 1024


def show(name: str, figures: tuple[float, float, float]) -> None:
    """A line."""
    peaceful, attacked, more = figures
    print(f"{name:>14}  {peaceful:9.1f} {attacked:9.1f} {more:9.0f}", flush=True)


def main() -> None:
    """Print a line for each, and the hub's share of what uvicorn needs."""
    print(f"{'':>14}  {'p99 ms':>9} {'attacked':>9} {'+ MiB':>9}")
    with bare_uvicorn() as server:
        bare = asyncio.run(measured(server))
    show("bare uvicorn", bare)
    with tempfile.TemporaryDirectory() as temporary, running_hub(Path(temporary)) as server:
        hub = asyncio.run(measured(server))
    show("directcd hub", hub)
    ratios = [mine / least for mine, least in zip(hub, bare, strict=True)]
    print(f"{'ratios':>14}  {ratios[0]:9.2f} {ratios[1]:9.2f} {ratios[2]:9.2f}")


if __name__ == "__main__":
    main()
