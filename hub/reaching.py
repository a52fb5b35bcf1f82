"""Whom a push reaches, and whom it nearly does."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.log.values import NewEvent
from hub.subscriptions import Mismatch, Registry

REFS_AT_ONCE = 250  # compared with every pattern before others have their turn


@dataclass(frozen=True, slots=True)
class Push:
    """
    The news of one delivery.

    Attributes:
        events: one a ref; none when nobody is to be told.
        paths: the files that changed; None when they are not known to be all.
        at: when it arrived, UTC.
    """

    events: Sequence[NewEvent]
    paths: frozenset[str] | None
    at: datetime


async def reach(registry: Registry, push: Push) -> tuple[list[str], list[Mismatch]]:
    """The names of the subscriptions that take any of its refs, and the nearest that do not."""
    matched, nearest = await _match(registry, push)
    # Before anybody is told that nobody wants it: another hub may have heard of somebody.
    if push.events and not matched and await registry.look_again():
        matched, nearest = await _match(registry, push)
    return matched, nearest


async def _match(registry: Registry, push: Push) -> tuple[list[str], list[Mismatch]]:
    refs = [event.ref for event in push.events]
    matched: set[str] = set()
    nearest: list[Mismatch] = []
    # In slices: ten thousand refs and as many patterns would hold up everybody for a second.
    for start in range(0, len(refs), REFS_AT_ONCE):
        if start:
            await asyncio.sleep(0)
        part = refs[start : start + REFS_AT_ONCE]
        found, missed = registry.match(push.events[0].keys, part, push.at, push.paths)
        matched.update(found)
        nearest = nearest or missed
    return sorted(matched), [miss for miss in nearest if miss.subscription not in matched]
