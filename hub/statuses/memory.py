"""What was last said of each commit, noted in the log: a hub that starts says nothing twice."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.log.base import Log, LogUnavailable

logger = logging.getLogger(__name__)

PREFIX = "status:"
LINES_MOST = 20  # of a target: some five pushes to four repositories
TARGETS_MOST = 2_000
FORGET_AFTER = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Said:
    """
    What was said of one commit.

    Attributes:
        state: as forges know it, `ended`, or `refused` when the forge does not want to hear it.
        digest: of all that was said.
        number: of the deployment, 0 when it is none.
    """

    state: str
    digest: str
    number: int = 0


class Memory:
    """What was said, by target and line; a line names a commit at a forge and what kind it is."""

    def __init__(self, log: Log, clock: Callable[[], datetime]) -> None:
        """
        Args:
            log: keeps it.
            clock: the time, aware and in UTC.
        """
        self._log = log
        self._clock = clock
        self._targets: dict[str, dict[str, Said]] = {}
        self._unsaved: set[str] = set()

    def forget(self) -> None:
        """Read anew from the log what is asked for: another hub may have said more."""
        self._targets.clear()
        self._unsaved.clear()

    async def said(self, target: str, line: str) -> Said | None:
        """What was last said. Raises LogUnavailable."""
        return (await self._lines(target)).get(line)

    async def say(self, target: str, line: str, said: Said) -> None:
        """Remember what was said; a log that is away is told by `save`."""
        lines = await self._lines(target)
        lines.pop(line, None)
        lines[line] = said
        for old in list(lines)[:-LINES_MOST]:
            del lines[old]
        self._unsaved.add(target)
        try:
            await self.save()
        except LogUnavailable as error:
            logger.debug("what was said is not noted yet", extra={"reason": str(error)})

    async def save(self) -> None:
        """Note what is not yet. Raises LogUnavailable."""
        for target in list(self._unsaved):
            lines = self._targets.get(target, {})
            said = {line: [one.state, one.digest, one.number] for line, one in lines.items()}
            note = {"at": self._clock().isoformat(), "said": said}
            await self._log.note(PREFIX + target, note)
            self._unsaved.discard(target)

    async def tidy(self) -> None:
        """Forget targets of which nothing was said for a month, or too many. LogUnavailable."""
        notes = await self._log.notes(PREFIX)
        ages = {name: str(note.get("at", "")) for name, note in notes.items()}
        limit = (self._clock() - FORGET_AFTER).isoformat()
        newest = sorted(ages, key=ages.__getitem__)[-TARGETS_MOST:]
        for name in ages.keys() - {one for one in newest if ages[one] >= limit}:
            await self._log.note(name, None)
            self._targets.pop(name.removeprefix(PREFIX), None)

    async def _lines(self, target: str) -> dict[str, Said]:
        if target not in self._targets:
            note = await self._log.noted(PREFIX + target)
            # Somebody else may have read it meanwhile, and said something.
            self._targets.setdefault(target, _read(note or {}))
        lines = self._targets.pop(target)
        self._targets[target] = lines  # behind all others
        saved = (one for one in self._targets if one not in self._unsaved)
        if len(self._targets) > TARGETS_MOST and (oldest := next(saved, "")):
            del self._targets[oldest]
        return lines


def _read(note: Mapping[str, Any]) -> dict[str, Said]:
    """What a note holds; nothing of what no hub wrote."""
    said = note.get("said")
    lines = said.items() if isinstance(said, dict) else ()
    return {line: Said(*one) for line, one in lines if _is_whole(one)}


def _is_whole(one: object) -> bool:
    kinds = [type(part) for part in one] if isinstance(one, list) else []
    return kinds == [str, str, int]
