"""What a forge has tried in vain to deliver here, delivered again by the forge itself."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from hub.forges.base import Forge, Redelivering
from hub.forges.errors import ForgeRefused
from hub.forges.values import Attempt, Hook, Place

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 3  # at one delivery: what is refused that often will be refused again
EVENTS = frozenset({"push", "repository"})
REFUSED_HERE = frozenset({400, 401, 403, 413, 415})
"""What this hub has answered on purpose: the same would be answered again."""


class RedeliveringForge(Forge, Redelivering, Protocol):
    """A forge that can repeat a delivery."""


def to_repeat(attempts: Iterable[Attempt]) -> list[Attempt]:
    """
    Of each delivery that never arrived the newest attempt, oldest first.

    Args:
        attempts: at any deliveries, in any order.
    """
    deliveries: defaultdict[str, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        deliveries[attempt.guid].append(attempt)
    newest = [max(tried, key=lambda one: one.at) for tried in deliveries.values() if _failed(tried)]
    return sorted(newest, key=lambda one: (one.at, one.id))


def _failed(tried: Sequence[Attempt]) -> bool:
    newest = max(tried, key=lambda one: one.at)
    is_wanted = newest.event in EVENTS and newest.status_code not in REFUSED_HERE
    return is_wanted and len(tried) < MOST_ATTEMPTS and not any(one.is_delivered for one in tried)


@dataclass
class Repeated:
    """
    What came of it.

    Attributes:
        attempts: what will come, as it was tried before.
        refused: of repositories whose webhooks the forge does not show; those of others went on.
    """

    attempts: list[Attempt] = field(default_factory=list)
    refused: list[ForgeRefused] = field(default_factory=list)


class Redeliverer:
    """Finds the webhooks of one source, and has repeated what they could not deliver."""

    def __init__(self, forge: RedeliveringForge, path: str) -> None:
        """
        Args:
            forge: the source's.
            path: how the address of the source's webhooks ends.
        """
        self._forge = forge
        self._path = path

    async def close(self) -> None:
        """Close every connection."""
        await self._forge.close()

    async def repeat(self, repositories: Sequence[str], since: datetime) -> Repeated:
        """
        Have repeated what was tried in vain since a moment.

        Args:
            repositories: their paths at the forge.
            since: UTC.

        Raises:
            ForgeError: the forge does not do it now; what it did already will come all the same.
        """
        done = Repeated()
        for path in repositories:
            await self._repeat_at(Place(path), since, done)
        for owner in sorted({path.partition("/")[0] for path in repositories}):
            await self._repeat_at(Place(owner, is_organisation=True), since, done)
        return done

    async def _repeat_at(self, place: Place, since: datetime, done: Repeated) -> None:
        try:
            for hook in await self._hooks(place):
                for attempt in to_repeat(await self._forge.attempts(hook, since)):
                    await self._forge.redeliver(hook, attempt)
                    logger.info("asked for a delivery again", extra=_facts(hook, attempt))
                    done.attempts.append(attempt)
        except ForgeRefused as error:
            # A person's repositories have no organisation, and the token may not see all.
            if not place.is_organisation:
                done.refused.append(error)

    async def _hooks(self, place: Place) -> list[Hook]:
        return [one for one in await self._forge.hooks(place) if one.url.endswith(self._path)]


def _facts(hook: Hook, attempt: Attempt) -> dict[str, object]:
    return {
        "hook": hook.id,
        "place": str(hook.place),
        "delivery_id": attempt.guid,
        "status": attempt.status_code,
        "reason": attempt.status,
    }
