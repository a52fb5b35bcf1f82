"""What a page reads of the hub at once, and what it does when the log is away."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.caught import caught_hint, known_of
from hub.dashboard import attention
from hub.dashboard.attention import Item
from hub.log.base import Log, LogUnavailable
from hub.recovery.remembered import all_remembered
from hub.servers import Servers
from hub.standing import Standing, standings
from hub.subscriptions import Registry

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


@dataclass(frozen=True)
class Looker:
    """Looks for what the overview shows, at the hub's own objects."""

    log: Log
    registry: Registry
    servers: Servers
    sources: Sequence[str]
    clock: Callable[[], datetime]

    async def look(self, *, may_read: bool) -> Seen:
        """What there is to see for somebody; of a log that is away, at least that."""
        trouble, states = await asyncio.gather(trouble_of(self.log), self.servers.states())
        items = [*attention.of_log(trouble), *attention.of_servers(states)]
        items += attention.of_subscribers(self.registry.all(), self.clock())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._seen(items, may_read=may_read)
        except (LogUnavailable, TimeoutError):
            slow = f"it has not told within {PATIENCE_SECONDS:.0f} s how the targets stand"
            return Seen(None, items if trouble else [*attention.of_log(slow), *items])

    async def _seen(self, items: list[Item], *, may_read: bool) -> Seen:
        log, now = self.log, self.clock()
        targets = await _targets_of(log, may_read=may_read)
        items += attention.of_targets(targets, may_read=may_read)
        refusals = await log.refusals(LOOKED_AT, None)
        items += attention.of_refusals(refusals, await log.secret_uses(), now)
        deliveries = await log.deliveries(LOOKED_AT, None)
        items += attention.of_unmatched(deliveries, now)
        items += attention.of_missed(deliveries, now)
        items += attention.of_forges(await all_remembered(log, self.sources)) if may_read else ()
        return Seen(targets, sorted(items, key=lambda item: item.kind != "bad"))


async def _targets_of(log: Log, *, may_read: bool) -> list[Standing]:
    """How every target stands, with hints for who may read: they speak of other deliveries."""
    found = await standings(log)
    if not may_read:
        return [one | {"caught_hint": ""} for one in found]
    known = await known_of(log)
    return [one | {"caught_hint": caught_hint(one, known)} for one in found]
