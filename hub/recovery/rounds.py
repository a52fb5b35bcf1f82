"""When the forge of one source is looked at, and what is remembered of that."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hub.counting import Counts
from hub.forges.addresses import ForgeAddress
from hub.log.base import Log, LogUnavailable
from hub.recovery.following import Followed, followed, newly_followed
from hub.recovery.found import Found
from hub.recovery.looking import Asked, Looker
from hub.recovery.remembered import Remembered, remember, remembered
from hub.renaming import Renames
from hub.sources import Source
from hub.subscriptions import Registry
from hub.wants import Want

logger = logging.getLogger(__name__)

SOON_SECONDS = 10.0  # after a look that could not ask everything, or had something repeated
MOST_SECONDS = 300.0
RINGING_SECONDS = 1.0  # several servers start together, and each brings several repositories


@dataclass(frozen=True)
class Plan:
    """The source that is looked at, how often, and by whom."""

    source: Source
    address: ForgeAddress
    interval_seconds: float
    looker: Looker


class Rounds:
    """The looks at one source's forge."""

    def __init__(
        self, plan: Plan, log: Log, registry: Registry, renames: Renames, counts: Counts
    ) -> None:
        """
        Args:
            plan: what is looked at.
            log: the hub's.
            registry: who follows what.
            renames: what repositories were called before.
            counts: are told of what was missed.
        """
        self._plan = plan
        self._log = log
        self._registry = registry
        self._renames = renames
        self._counts = counts
        self._wants: frozenset[Want] = frozenset()
        self._known: Sequence[Followed] = ()
        self._due_at: float | None = None  # by the event loop's clock
        self._bell = asyncio.Event()
        self._is_thorough = self._is_due = self._is_running = False
        self._turn = asyncio.Lock()
        self._patience_seconds = SOON_SECONDS
        registry.on_change(self._bell.set)

    @property
    def source(self) -> str:
        """Its name."""
        return self._plan.source.name

    def ring(self) -> None:
        """Look everywhere now: something may have been missed."""
        self._is_thorough = True
        self._bell.set()

    async def run(self) -> None:
        """Go on until cancelled; begin with a thorough look."""
        self._plan.looker.memory.forget()  # another hub may have looked since
        self._is_running = True
        self.ring()
        try:
            while True:
                self._bell.clear()
                await self._look_if_needed()
                await self._wait()
        finally:
            self._is_running = False

    async def look(self, *, is_thorough: bool = True) -> Found:
        """
        Look at everything now.

        Raises:
            LogUnavailable: the log takes or tells nothing.
        """
        async with self._turn:
            if not self._is_running:
                self._plan.looker.memory.forget()  # another hub looks, and knows more
            wants = [want for one in self._registry.all() for want in one.wants]
            return await self._look(self._followed(wants), is_thorough=is_thorough, is_whole=True)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout_at(self._due_at):
                await self._bell.wait()
                await asyncio.sleep(RINGING_SECONDS)
        except TimeoutError:
            self._is_due = True

    async def close(self) -> None:
        """Close every connection."""
        await self._plan.looker.close()

    async def _look_if_needed(self) -> None:
        """Look at what was not looked at yet, and say when the next look is due."""
        wants = frozenset(want for one in self._registry.all() for want in one.wants)
        is_whole, is_thorough = self._is_due or self._is_thorough, self._is_thorough
        if wants <= self._wants and not is_whole:
            return  # a lease was renewed: that happens all the time
        self._is_due = self._is_thorough = False
        now = self._followed(wants)
        wanted = now if is_whole else newly_followed(now, self._known)
        found = await self._found(wanted, is_thorough=is_thorough, is_whole=is_whole)
        if found:
            self._wants, self._known = wants, now
        if found is None or found.is_unfinished:
            self._is_thorough |= is_thorough
        if found is None or found.is_unfinished or found.is_moving or found.redelivered:
            self._look_again_soon()
        elif is_whole:
            self._look_again_when_due()

    async def _found(
        self, wanted: Sequence[Followed], *, is_thorough: bool, is_whole: bool
    ) -> Found | None:
        try:
            async with self._turn:
                return await self._look(wanted, is_thorough=is_thorough, is_whole=is_whole)
        except LogUnavailable as error:
            logger.warning("not looked for missed pushes", extra=self._facts(str(error)))
        except Exception:  # a mistake must not end all looks
            logger.exception("looking for missed pushes failed", extra={"source": self.source})
        return None

    def _look_again_when_due(self) -> None:
        self._due_at = asyncio.get_running_loop().time() + self._plan.interval_seconds
        self._patience_seconds = SOON_SECONDS

    def _look_again_soon(self) -> None:
        """What is refused for good is not asked all the time."""
        self._due_at = asyncio.get_running_loop().time() + self._patience_seconds
        most = max(MOST_SECONDS, self._plan.interval_seconds)
        self._patience_seconds = min(2 * self._patience_seconds, most)

    async def _look(
        self, wanted: Sequence[Followed], *, is_thorough: bool, is_whole: bool
    ) -> Found:
        before = await remembered(self._log, self.source)
        asked = Asked(wanted, before.asked_at, is_thorough=is_thorough, is_whole=is_whole)
        found = await self._plan.looker.look(asked)
        for how in ("redelivered", "synthesised"):
            self._counts.missed[self.source, how] += getattr(found, how)
        after = _after(before, found, asked)
        await remember(self._log, self.source, after)
        self._say(before, after)
        return found

    def _say(self, before: Remembered, after: Remembered) -> None:
        for trouble in set(after.troubles) - set(before.troubles):
            logger.warning("the forge was not asked", extra=self._facts(trouble))
        if before.troubles and not after.troubles:
            logger.info("the forge answers again", extra={"source": self.source})

    def _facts(self, reason: str) -> dict[str, str]:
        return {"source": self.source, "reason": reason}

    def _followed(self, wants: Iterable[Want]) -> list[Followed]:
        return followed(self._plan.source, self._plan.address, self._renames, wants)


def _after(before: Remembered, found: Found, asked: Asked) -> Remembered:
    is_asked = asked.is_thorough and not found.is_unfinished
    more = 0 if asked.is_whole else before.repositories
    return Remembered(
        asked_at=found.at if is_asked else before.asked_at,
        looked_at=found.at,
        repositories=found.repositories + more,
        missed=before.missed + found.redelivered + found.synthesised,
        troubles=found.troubles or (() if asked.is_whole else before.troubles),
    )
