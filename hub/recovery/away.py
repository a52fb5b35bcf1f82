"""When every hub of a log was away: nothing was received then, and forges seldom try again."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.log.base import Log

logger = logging.getLogger(__name__)

NOTE = "presence"
SILENT = timedelta(seconds=30)  # without a sign; a restart takes less, and forges' patience is 5 s
MOST_KEPT = 20


@dataclass(frozen=True, slots=True)
class Absence:
    """From when until when there was no hub, UTC."""

    began: datetime
    ended: datetime

    def __str__(self) -> str:
        """As people read it."""
        return f"{self.began:%Y-%m-%d %H:%M:%S} to {self.ended:%H:%M:%S} UTC"


class Away:
    """Notes signs of life in the log, and what was between them."""

    def __init__(self, log: Log, clock: Callable[[], datetime]) -> None:
        """
        Args:
            log: the hub's.
            clock: the time, aware and in UTC.
        """
        self._log = log
        self._clock = clock
        self._absences: list[Absence] = []

    async def remember(self) -> None:
        """
        Read what was noted, and how long nobody was here just now.

        Raises:
            LogUnavailable: the log does not tell.
        """
        note = await self._log.noted(NOTE) or {}
        self._absences = _absences(note)
        last, now = _moment(note.get("alive_at")), self._clock()
        new = Absence(last, now) if last and now - last > SILENT else None
        if new:
            self._absences = [*self._absences, new][-MOST_KEPT:]
            facts = {"began": new.began.isoformat(), "seconds": (now - new.began).total_seconds()}
            logger.warning("no hub was here", extra=facts)

    async def sign(self) -> None:
        """Note that somebody is here. Raises LogUnavailable."""
        absences = [[one.began.isoformat(), one.ended.isoformat()] for one in self._absences]
        alive_at = self._clock().isoformat()
        await self._log.note(NOTE, {"alive_at": alive_at, "absences": absences})

    def why(self, since: datetime) -> str:
        """Why something since a moment was not received, in brackets; "" when nobody knows."""
        found = [one for one in self._absences if one.ended >= since]
        return f" (the hub was away {found[-1]})" if found else ""


async def absences_of(log: Log) -> list[Absence]:
    """When no hub was there, the last time last. Raises LogUnavailable."""
    return _absences(await log.noted(NOTE) or {})


def _absences(note: dict[str, Any]) -> list[Absence]:
    listed = note.get("absences")
    found = map(_absence, listed) if isinstance(listed, list) else ()
    return [one for one in found if one]


def _absence(value: Any) -> Absence | None:
    if not isinstance(value, list) or len(value) != 2:  # noqa: PLR2004 - began and ended
        return None
    began, ended = map(_moment, value)
    return Absence(began, ended) if began and ended else None


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
