"""Why no status appears: said in the log once in a while, and to whoever looks at the source."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from hub.forges.errors import ForgeError, ForgeRefused
from hub.log.base import Log

logger = logging.getLogger(__name__)

AGAIN = timedelta(hours=1)  # until the same refusal is logged once more
PREFIX = "status-trouble:"
_OF_ALL = frozenset({0, 401})  # answers that are not about one repository


class Troubles:
    """What is wrong with each source's statuses, noted where every hub on the log sees it."""

    def __init__(self, log: Log, clock: Callable[[], datetime]) -> None:
        """
        Args:
            log: the hub's.
            clock: the time, aware and in UTC.
        """
        self._log = log
        self._clock = clock
        self._said: dict[tuple[str, int], datetime] = {}
        self._noted: dict[str, dict[str, Any]] = {}
        self._away: set[str] = set()

    async def refused(self, source: str, path: str, error: ForgeRefused) -> None:
        """It said no to what concerns a repository. Raises LogUnavailable."""
        now = self._clock()
        said = self._said.get((source, error.status))
        if said is None or now - said >= AGAIN:
            self._said[source, error.status] = now
            keys = {"source": source, "reason": str(error), "next": error.next_step}
            logger.warning("commit status refused", extra=keys)
        await self._note(source, "" if error.status in _OF_ALL else path, error)

    async def away(self, source: str, error: ForgeError) -> None:
        """It takes nothing now. Raises LogUnavailable."""
        if source not in self._away:
            self._away.add(source)
            keys = {"source": source, "reason": str(error)}
            logger.warning("commit statuses wait for the forge", extra=keys)
        await self._note(source, "", error)

    async def over(self, source: str, path: str) -> None:
        """It has taken something about a repository. Raises LogUnavailable."""
        if source in self._away:
            self._away.discard(source)
            logger.info("commit statuses are taken again", extra={"source": source})
        if source not in self._noted:
            self._noted[source] = await self.of(source)
        noted = self._noted[source]
        if noted and noted.get("repository") in {"", path}:
            await self._log.note(PREFIX + source, None)
            self._noted[source] = {}

    async def of(self, source: str) -> dict[str, Any]:
        """What is wrong with a source: problem, next and at; empty when nothing is known to be."""
        return await self._log.noted(PREFIX + source) or {}

    async def _note(self, source: str, path: str, error: ForgeError) -> None:
        what = {"problem": str(error), "next": error.next_step, "repository": path}
        if self._noted.get(source, {}).items() >= what.items():
            return
        note = {**what, "at": self._clock().isoformat(timespec="seconds")}
        await self._log.note(PREFIX + source, note)
        self._noted[source] = note
