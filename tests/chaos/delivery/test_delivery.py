"""
Every change that a server or a client makes to its directory: killed there, or refused by the disk.

A slice of the points, or with DIRECTCD_CHAOS=full (`scripts/test chaos`) nearly 700 of them.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from pydantic import TypeAdapter

from tests.chaos.delivery.campaign import IMPOSSIBLE, KILLS, REFUSALS, Hit, Order, Verdict
from tests.chaos.delivery.clients import Offers
from tests.chaos.delivery.needs import missing
from tests.integration.cd4sources.peers import serving
from tests.support.githttp import GitServer

# Read here: tests are run without any DIRECTCD_ variable.
IS_FULL = os.environ.get("DIRECTCD_CHAOS") == "full"
PARTS = 2 if IS_FULL else 1
SHOWN = 10
_KILLS = {"server": 400, "client": 120} if IS_FULL else {"server": 8, "client": 4}
_REFUSALS = {"server": 100, "client": 60} if IS_FULL else {"server": 3, "client": 3}

pytestmark = pytest.mark.timeout(1500 if IS_FULL else 60)


@pytest.fixture(params=["server", "client"])
async def order(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Order]:
    """Somebody to disturb, with what it fetches from beside it."""
    asked = Order(request.param, (), tmp_path, "")
    async with _served(asked.kind, tmp_path) as address:
        yield replace(asked, address=address)


@asynccontextmanager
async def _served(kind: Literal["server", "client"], room: Path) -> AsyncIterator[str]:
    if kind == "client":
        async with serving(Offers()) as offers:
            yield offers.url
        return
    (room / "git").mkdir()
    with GitServer.serving(room / "git", user="dev", password="secret") as git:
        yield git.url("{}", "dev", "secret")


async def test_killed_at_any_change_the_next_life_converges(order: Order) -> None:
    """Whoever dies, and wherever: nothing half done is ever seen, and nothing is left of it."""
    verdicts = await fired(order, KILLS, _KILLS[order.kind])
    assert not _bad(verdicts), _bad(verdicts)


async def test_a_full_disk_costs_nothing_but_time(order: Order) -> None:
    """The old version stays, the reason is said, and with space again everything goes on."""
    verdicts = await fired(order, REFUSALS, _REFUSALS[order.kind])
    assert not _bad(verdicts), _bad(verdicts)


async def fired(order: Order, hits: tuple[Hit, ...], count: int) -> list[Verdict]:
    """Have an order carried out, and tell in one line how it went."""
    order = replace(order, hits=hits, count=count, in_short=not IS_FULL, parts=PARTS)
    began = time.monotonic()
    parts = await asyncio.gather(*(_part(replace(order, part=part)) for part in range(PARTS)))
    verdicts = [one for part in parts for one in part]
    took = f"{time.monotonic() - began:.0f} s"
    print(f"\n{order.kind} {'/'.join(hits)}: {_summary(verdicts)}, {took}")  # noqa: T201
    missed = [one for one in verdicts if not one.at]
    assert len(missed) <= len(verdicts) / 20, missed
    return verdicts


async def _part(order: Order) -> list[Verdict]:
    argv = (sys.executable, "-m", "tests.chaos.delivery.campaign")
    asked = TypeAdapter(Order).dump_json(order).decode()
    complaints = order.room / f"stderr-{order.part}"
    with complaints.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *argv,
            asked,
            env={"PATH": os.environ["PATH"]},  # without what measures coverage: it would be traced
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
        )
        try:
            said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()  # and with it every life that it traces
    if process.returncode == IMPOSSIBLE:
        missing("needs ptrace and seccomp, on x86-64")
    assert process.returncode == 0, complaints.read_text()[-3000:]
    return [TypeAdapter(Verdict).validate_json(line) for line in said.splitlines()]


def _summary(verdicts: Sequence[Verdict]) -> str:
    """How many points were hit, and what came of them."""
    hit = [one for one in verdicts if one.at]
    broken, stuck = sum(bool(one.broken) for one in hit), sum(one.stuck for one in hit)
    missed = len(verdicts) - len(hit)
    return f"{len(hit)} points, {broken} broken, {stuck} stuck, {missed} missed"


def _bad(verdicts: Sequence[Verdict]) -> str:
    """What was found, a line each; empty when nothing was."""
    found = [one for one in verdicts if one.broken or one.stuck]
    return "\n".join(
        f"{one.scenario} {one.shot} at {one.at}: {_found(one)}" for one in found[:SHOWN]
    )


def _found(verdict: Verdict) -> str:
    return "; ".join(["stuck"] * verdict.stuck + verdict.broken + verdict.failures)
