"""What a page reads of the hub at once, and what it does when the log is away."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.caught import caught_hint, known_of
from hub.dashboard import attention
from hub.dashboard.attention import Item
from hub.log.base import Log, LogUnavailable
from hub.log.delivered import Document
from hub.standing import Standing, standings

LOOKED_AT = 200  # deliveries and refusals, newest first
PATIENCE_SECONDS = 3.0  # with a log that may be away


@dataclass(frozen=True)
class Seen:
    """
    What there is to see.

    Attributes:
        targets: how each stands, with the likely cause of what only a poll has found; None when the
            log does not tell.
        items: what to look at first.
    """

    targets: Sequence[Standing] | None
    items: Sequence[Item]


async def trouble_of(log: Log) -> str:
    """What is wrong with the log, "" when nothing is."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await log.check()
    except LogUnavailable as error:
        return str(error) or "it cannot be reached"
    except TimeoutError:
        return f"it has not answered for {PATIENCE_SECONDS:.0f} s"


async def look(log: Log, clock: Callable[[], datetime], *, may_read: bool) -> Seen:
    """What the overview shows to somebody; of a log that is away, at least that."""
    trouble = await trouble_of(log)
    items = list(attention.of_log(trouble))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await _seen(log, clock(), items, may_read=may_read)
    except (LogUnavailable, TimeoutError):
        slow = f"it has not told within {PATIENCE_SECONDS:.0f} s how the targets stand"
        return Seen(None, items or list(attention.of_log(slow)))


async def _seen(log: Log, now: datetime, items: list[Item], *, may_read: bool) -> Seen:
    targets = await targets_of(log)
    items += attention.of_targets(targets, may_read=may_read)
    refusals = await log.refusals(LOOKED_AT, None)
    items += attention.of_refusals(refusals, await log.secret_uses(), now)
    deliveries: Sequence[Document] = await log.deliveries(LOOKED_AT, None)
    items += attention.of_unmatched(deliveries, now)
    return Seen(targets, sorted(items, key=lambda item: item.kind != "bad"))


async def targets_of(log: Log) -> list[Standing]:
    """How every target stands, with hints."""
    found, known = await standings(log), await known_of(log)
    return [one | {"caught_hint": caught_hint(one, known)} for one in found]
