"""
What a 2xx promises, while everything that can break does.

A slice of it, or with DIRECTCD_CHAOS=full (`scripts/test chaos`) all, for about ten minutes.
DIRECTCD_CHAOS_SECONDS says how long it may take instead.
DIRECTCD_CHAOS_SEED repeats a run's choices (not its timing).
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos import faults, redises
from tests.chaos.hubs import HubProcess
from tests.chaos.load import COPIED, REFUSED, Load
from tests.chaos.verdict import SHOWN, failures, summary
from tests.chaos.world import World, world

FULL_SECONDS = 700.0
# Read here: tests are run without any DIRECTCD_ variable.
ASKED = FULL_SECONDS if os.environ.get("DIRECTCD_CHAOS") == "full" else 60.0
SECONDS = min(float(os.environ.get("DIRECTCD_CHAOS_SECONDS") or ASKED), FULL_SECONDS)
SEED = int(os.environ.get("DIRECTCD_CHAOS_SEED") or time.time_ns() % 1_000_000)
PART = SECONDS / FULL_SECONDS
RATE = 250.0  # webhooks a second
ANSWER_SECONDS = 10.0
DRAIN_SECONDS = 8.0  # less than one on an idle machine, see what is told; the polls take twenty

pytestmark = pytest.mark.timeout(SECONDS + 240)


def part_of(full: float) -> int:
    """So much of a full run's faults or seconds as this run has time for."""
    return max(round(full * PART), 2)


def tell(numbers: str) -> None:
    """Print what a run has measured; pytest shows it with -s, or when the test fails."""
    print(f"\n{numbers}")  # noqa: T201


@asynccontextmanager
async def loaded(there: World, rate: float = RATE, copied: float = COPIED) -> AsyncIterator[Load]:
    """Pushes while the block runs; then everything heals, and every promise is checked."""
    load = there.load(rate, copied)
    async with load.running():
        yield load
    whole = await there.wait_until_whole()
    complete = await there.wait_until_complete(load)
    took = f"whole {whole:.1f} s and complete {complete:.1f} s after the last push"
    tell(f"seed {SEED}; {summary(there, load)}\n{took}")
    found = await failures(there, load)
    (there.timeline.file.with_name("failures")).write_text("\n".join(found))
    told = f"{len(found)} promises broken; seed {SEED}, see {there.timeline.file.parent}"
    assert not found, "\n".join([told, *found[:SHOWN]])


async def test_nothing_is_lost_while_hubs_redis_and_the_network_fail(tmp_path: Path) -> None:
    """One Redis that keeps what it acknowledges: nothing lost, doubled, disordered or gapped."""
    async with (
        redises.single(tmp_path) as single,
        world(tmp_path, single, SEED) as there,
        loaded(there),
        asyncio.TaskGroup() as lanes,
    ):
        lanes.create_task(faults.run(there, faults.SINGLE, part_of(100), 0.5))
        lanes.create_task(faults.run(there, faults.HUBS, part_of(50), 1.0))


async def test_nothing_is_lost_while_masters_fail_over(tmp_path: Path) -> None:
    """Sentinel: what a master took with it is appended again by the hub that acknowledged it."""
    with redises.group(tmp_path) as group:
        async with world(tmp_path, group, SEED) as there, loaded(there):
            await faults.run(there, faults.SENTINEL, part_of(40), 0.5)


async def test_nothing_is_lost_while_slots_move(tmp_path: Path) -> None:
    """Cluster: the log moves from server to server, with hubs and servers dying meanwhile."""
    with redises.clustered(tmp_path) as cluster:
        async with (
            world(tmp_path, cluster, SEED) as there,
            loaded(there),
            asyncio.TaskGroup() as lanes,
        ):
            lanes.create_task(faults.run(there, faults.CLUSTER, part_of(40), 0.5))
            lanes.create_task(faults.run(there, faults.HUBS, part_of(15), 1.0))


async def test_an_outage_of_redis_refuses_no_webhook(tmp_path: Path) -> None:
    """A minute without Redis: every webhook is accepted within ten seconds, and told afterwards."""
    async with redises.single(tmp_path) as single, world(tmp_path, single, SEED) as there:
        async with loaded(there) as load:
            await asyncio.sleep(1)
            with there.timeline.fault("redis", "redis is away"):
                single.server.kill()
                await asyncio.sleep(part_of(60))
                await asyncio.to_thread(single.server.start)
            await asyncio.sleep(1)
        for attempt in load.ledger.attempts():
            assert 200 <= attempt.status < 300, attempt
            assert attempt.ended - attempt.began < ANSWER_SECONDS, attempt


@dataclass(frozen=True)
class Drained:
    """How long one hub took to stop."""

    hub: str
    seconds: float


async def test_a_rolling_restart_refuses_no_webhook(tmp_path: Path) -> None:
    """Twenty times: a refused connection is made to the other hub, and nothing else is noticed."""
    async with redises.single(tmp_path) as single, world(tmp_path, single, SEED) as there:
        async with loaded(there, copied=0.0) as load:
            drains = [await restarted(there, hub) for hub in there.hubs * part_of(20)]
        tell(f"{len(drains)} drains, the longest {max(one.seconds for one in drains):.2f} s")
        assert [one for one in drains if one.seconds > DRAIN_SECONDS] == []
        for attempt in load.ledger.attempts():
            assert attempt.what in {"", REFUSED}, attempt


async def restarted(there: World, hub: HubProcess) -> Drained:
    """One hub is told to stop, and started again."""
    with there.timeline.fault("hub", f"{hub.name} is restarted"):
        drained = Drained(hub.label, await hub.terminate())
        await hub.start()
    return drained
