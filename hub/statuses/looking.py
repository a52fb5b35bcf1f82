"""Which targets have news, and what is to be sent about each."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from hub.log.base import Log
from hub.log.values import StageReport
from hub.statuses.claims import claims_of
from hub.statuses.clients import returns_at
from hub.statuses.composing import Composer
from hub.statuses.jobs import Job
from hub.tracing import LOOKED_AT, assembled

TRACES = 10  # of a target; what is older was said long ago
OLD = timedelta(days=7)  # nobody waits for a status of what was last reported before
OVERLAP = 1.0  # of a log's moments: its clock may have been set back a little


class Looking:
    """Works out what is to be said, for the targets with news."""

    def __init__(self, log: Log, composer: Composer, clock: Callable[[], datetime]) -> None:
        """
        Args:
            log: the hub's.
            composer: makes jobs of claims.
            clock: the time, aware and in UTC.
        """
        self._log = log
        self._composer = composer
        self._clock = clock
        self._seen: dict[str, float] = {}
        self._due: dict[str, datetime] = {}
        self._todo: dict[str, None] = {}

    @property
    def has_more(self) -> bool:
        """Whether some targets with news were not looked at yet."""
        return bool(self._todo)

    def forget(self) -> None:
        """Begin with all targets again."""
        self._seen.clear()
        self._due.clear()
        self._todo.clear()

    async def look(self, most: int) -> list[Job]:
        """
        What is to be sent about so many targets with news.

        Raises:
            LogUnavailable: not all can be told; the next call begins with the same.
        """
        await self._find()
        jobs: list[Job] = []
        for target in list(self._todo)[:most]:
            jobs += await self._of(target)
            del self._todo[target]
            await asyncio.sleep(0)  # others have their turn
        return jobs

    async def _find(self) -> None:
        """Note who has reports, or whose time has come."""
        since = max(self._seen.values(), default=0.0) - OVERLAP
        for target, moment in (await self._log.reported(max(since, 0.0))).items():
            if self._seen.get(target) != moment:
                self._seen[target] = moment
                self._todo[target] = None
        now = self._clock()
        for target in [one for one, at in self._due.items() if at < now]:
            del self._due[target]
            self._todo[target] = None

    async def _of(self, target: str) -> list[Job]:
        now = self._clock()
        newest = await self._log.reports(target, 1)
        if not newest or now - newest[-1].ended_at > OLD:
            return []
        # A report comes twice when its first answer was lost.
        reports = list(dict.fromkeys(await self._log.reports(target, LOOKED_AT)))
        traces = await assembled(self._log, target, reports, TRACES)
        claims = claims_of(reports, traces, now)
        self._note_time(target, reports, is_due=any(one.word.is_about_time for one in claims))
        origins = {trace.origin.repository for trace in traces if trace.origin}
        return [*self._composer.jobs(target, claims, origins)]

    def _note_time(self, target: str, reports: list[StageReport], *, is_due: bool) -> None:
        self._due.pop(target, None)
        if is_due and (at := returns_at(reports)):
            self._due[target] = at
