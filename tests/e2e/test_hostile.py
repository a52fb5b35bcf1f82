"""The hub's process under attack: what it needs meanwhile, and whom it still serves."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.hub_process import Process, besieged, deliver, percentile_99, running_hub

LONG_SECONDS = 1.0  # nobody honest waits so long; `scripts/bench hostile` says how long they do


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Process]:
    """A hub that is about to be attacked."""
    with running_hub(tmp_path) as process:
        yield process


def _tell(figures: str) -> None:
    sys.stdout.write(f"{figures}\n")  # shown by pytest -rP


async def test_a_gigabyte_of_hostile_bodies_costs_neither_memory_nor_others_time(
    hub: Process,
) -> None:
    """
    100 connections, 1 GB that nobody signed: under 64 MiB more, and honest ones are served.

    None of the hostile bodies is accepted, and none fails the hub.
    """
    await deliver(hub.port, 1)
    hub.forget_peak()
    base = hub.kib("VmRSS")
    siege = await besieged(hub.port)
    answers = Counter(siege.answers)
    more = hub.kib("VmHWM") - base
    _tell(f"{answers}, {more // 1024} MiB more, honest p99 {siege.honest_p99 * 1000:.1f} ms")
    assert {status for status, _ in siege.honest} == {202}
    assert answers.total() == 100
    assert set(answers) <= {"401", "429", "503", "reset"}
    assert answers["401"] >= 20
    assert more < 64 * 1024
    assert siege.honest_p99 < LONG_SECONDS


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


async def test_a_thousand_slow_connections_are_gone_in_twenty_seconds(hub: Process) -> None:
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
    assert honest_p99 < LONG_SECONDS
    assert told[True] >= 490
    assert all(b"request-too-slow" in one for one in said if b" 408 " in one)
    assert hub.open_connections() <= before + 1
