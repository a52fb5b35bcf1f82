"""A log with a spool in front, and deliveries that are told apart by their names."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from hub.log.spool import SpooledLog
from hub.log.values import DeliveryRecord, NewEvent
from tests.support.away import AwayLog
from tests.support.events import event, record
from tests.support.waiting import DEADLINE_SECONDS


@asynccontextmanager
async def opened(
    engine: AwayLog, spool: Path, *, limit_bytes: int = 1_000_000_000
) -> AsyncIterator[SpooledLog]:
    """A log with a spool, open."""
    log = SpooledLog(engine, spool, limit_bytes=limit_bytes)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


def named(name: str) -> tuple[DeliveryRecord, list[NewEvent]]:
    """A delivery of a commit of that name, of a repository that has no other."""
    subject = f"github.com/acme/{name}#refs/heads/main"
    moved = replace(event(name), subject=subject, event_id=f"{subject} {name}")
    return replace(record(), delivery_id=name), [moved]


async def deliver(log: SpooledLog, *names: str) -> list[bool]:
    """Append deliveries one after the other; which of them were spooled."""
    return [(await log.append(*named(name))).spooled for name in names]


async def remembered(engine: AwayLog) -> list[str]:
    """The names of all deliveries in the log, oldest first."""
    return [one["delivery_id"] for one in reversed(await engine.deliveries(100_000, None))]


async def until_empty(log: SpooledLog) -> None:
    """Wait until nothing waits any more."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await log.check():
            await asyncio.sleep(0.005)
