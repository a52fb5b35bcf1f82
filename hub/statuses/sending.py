"""One source's statuses on their way: one after the other, patiently, and only the newest."""

import asyncio
import logging
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from datetime import datetime
from typing import NoReturn

from hub.forges.base import Deploying, Forge
from hub.forges.errors import ForgeError, ForgeRefused, RateLimited
from hub.log.base import LogUnavailable
from hub.statuses.jobs import Job
from hub.statuses.memory import Memory, Said
from hub.statuses.troubles import Troubles

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 2.0
MOST_PAUSE_SECONDS = 300.0
WAITING_MOST = 10_000  # while a forge is away; about 1 KB each, and the newest count
TOKEN_SECONDS = 60.0  # until what a token was refused for is tried again: it may be another one
_OF_ALL = frozenset({0, 401})  # the token is worth nothing anywhere
_OF_THE_TOKEN = frozenset({0, 401, 403})  # a person mends that, and then it is worth another try

Tally = MutableMapping[tuple[str, str], int]


class Sender:
    """Sends what is wanted to one forge until it is cancelled."""

    def __init__(
        self,
        source: str,
        forge: Forge,
        memory: Memory,
        troubles: Troubles,
        tally: Tally,
        clock: Callable[[], datetime],
    ) -> None:
        """
        Args:
            source: whose token is used.
            forge: its API.
            memory: what was said before.
            troubles: who is told of what goes wrong.
            tally: counts attempts, by source and result.
            clock: the time, aware and in UTC.
        """
        self._source = source
        self._forge = forge
        self._memory = memory
        self._troubles = troubles
        self._tally = tally
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._refused: dict[str, Job] = {}  # for the token alone
        self._wanted = asyncio.Event()
        self._resting = asyncio.Event()
        self._resting.set()
        self._failures = 0
        self._is_locked_out = False
        self._probe = ""  # the line that shows whether the token is another one

    def want(self, job: Job) -> None:
        """Send this when its turn comes, in place of what was wanted of the same line."""
        self._jobs[job.line] = job
        if self._refused.pop(job.line, None):
            self._probe = job.line
        while len(self._jobs) > WAITING_MOST:
            del self._jobs[next(iter(self._jobs))]
        if not self._failures:
            self._resting.clear()
        self._wanted.set()

    def forget(self) -> None:
        """Send nothing of what waits: another hub does."""
        self._jobs.clear()
        self._refused.clear()

    async def rested(self) -> None:
        """Return when nothing is under way, or it has to wait."""
        await self._resting.wait()

    async def close(self) -> None:
        """Close every connection."""
        await self._forge.close()

    async def run(self) -> NoReturn:
        """Send one job after the other, for ever; cancel to end."""
        while True:
            while not self._jobs:
                self._resting.set()
                await self._wait()
            self._resting.clear()
            job = self._jobs.pop(next(iter(self._jobs)))
            if pause := await self._attempt(job):
                self._jobs.setdefault(job.line, job)  # unless there is a newer one
                self._resting.set()
                await asyncio.sleep(pause)

    async def _wait(self) -> None:
        """Until something is wanted, or one that the token was refused for may be tried again."""
        self._wanted.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(TOKEN_SECONDS if self._refused else None):
                await self._wanted.wait()
                return
        # One alone: there may be thousands, and each counts against the token's allowance.
        self._probe = next(iter(self._refused))
        self._jobs[self._probe] = self._refused.pop(self._probe)

    async def _attempt(self, job: Job) -> float:
        """Send one job; the seconds until it may be tried again, 0 when it is done with."""
        try:
            return await self._try(job)
        except Exception:  # this one is given up, the others go on
            logger.exception("commit status not sent", extra={"source": self._source})
            return 0.0

    async def _try(self, job: Job) -> float:
        try:
            said = await self._memory.said(job.target, job.line)
            if job.is_news(said):
                await self._memory.say(job.target, job.line, await self._sent(job, said))
                await self._succeed(job)
        except ForgeRefused as error:
            await self._refuse(job, error)
        except (ForgeError, LogUnavailable) as error:
            return await self._fail(error)
        return 0.0

    async def _sent(self, job: Job, said: Said | None) -> Said:
        if job.kind == "deployment" and isinstance(self._forge, Deploying):
            return await self._deployed(self._forge, job, said or Said("", ""))
        await self._forge.set_status(job.spot.path, job.spot.commit, job.status)
        return Said(job.status.state, job.digest)

    async def _succeed(self, job: Job) -> None:
        self._failures = 0
        if self._is_locked_out or job.line == self._probe:
            self._is_locked_out, self._probe = False, ""
            self._jobs, self._refused = self._refused | self._jobs, {}
        with suppress(LogUnavailable):
            await self._troubles.over(self._source, job.spot.path)
        self._count("sent")

    async def _deployed(self, forge: Deploying, job: Job, said: Said) -> Said:
        path, number, state = job.spot.path, said.number, job.status.state
        if job.when == "to end":
            await forge.end_deployment(path, number)
            return Said("ended", job.digest, number)
        is_over = said.state != "pending" and state == "pending"  # what comes back is deployed anew
        if not number or is_over:
            number = await forge.create_deployment(path, job.spot.commit, job.target)
            # Before anything else: were it forgotten, there would be another one.
            await self._memory.say(job.target, job.line, Said("pending", "", number))
        await forge.set_deployment(path, number, job.status)
        return Said(state, job.digest, number)

    async def _refuse(self, job: Job, error: ForgeRefused) -> None:
        self._count("refused")
        with suppress(LogUnavailable):
            await self._troubles.refused(self._source, job.spot.path, error)
        self._failures = 0
        if error.status in _OF_THE_TOKEN:
            self._refused[job.line] = job
            self._is_locked_out |= error.status in _OF_ALL
            return
        with suppress(LogUnavailable):
            said = await self._memory.said(job.target, job.line)
            number = said.number if said else 0
            await self._memory.say(job.target, job.line, Said("refused", job.digest, number))

    async def _fail(self, error: ForgeError | LogUnavailable) -> float:
        self._failures += 1
        pause = pause_seconds(self._failures)
        if isinstance(error, LogUnavailable):
            return pause
        with suppress(LogUnavailable):
            await self._troubles.away(self._source, error)
        self._count("limited" if isinstance(error, RateLimited) else "away")
        if isinstance(error, RateLimited):
            return max(pause, (error.until - self._clock()).total_seconds())
        return pause

    def _count(self, result: str) -> None:
        key = self._source, result
        self._tally[key] = self._tally.get(key, 0) + 1


def pause_seconds(failures: int) -> float:
    """The pause after so many failures, one after the other."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 30), MOST_PAUSE_SECONDS)
