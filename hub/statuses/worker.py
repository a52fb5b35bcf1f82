"""
Looks at what was reported, and has statuses written beside commits.

Of the hubs on one log the one with the lease does it. It looks at the targets with new reports, and
at all that were reported about within a week when it begins; the pages and answers of the hub wait
for nothing of it.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from hub.log.base import Log, LogUnavailable
from hub.log.values import Lease
from hub.statuses.looking import Looking
from hub.statuses.memory import Memory
from hub.statuses.sending import Sender
from hub.statuses.troubles import Troubles

logger = logging.getLogger(__name__)

LEASE = "commit statuses"
LEASE_SECONDS = 15.0
LOOK_SECONDS = 3.0  # for reports that came to other hubs
GATHER_SECONDS = 0.2  # stages follow each other quickly; of those only the last is said
AT_A_TIME = 20  # targets, between two renewals of the lease
TIDY_SECONDS = 3600.0
LEAVE_SECONDS = 1.0  # for what is under way when the hub stops


class Statuses:
    """Writes beside commits from `run` until `stop`; without a source that may, it does nothing."""

    def __init__(
        self,
        log: Log,
        memory: Memory,
        troubles: Troubles,
        looking: Looking,
        senders: Mapping[str, Sender],
    ) -> None:
        """
        Args:
            log: the hub's.
            memory: what was said before.
            troubles: what is wrong.
            looking: works out what is to be said.
            senders: by source.
        """
        self._log = log
        self._memory = memory
        self._troubles = troubles
        self._looking = looking
        self._senders = senders
        self._owner = secrets.token_hex(8)
        self._lease: Lease | None = None
        self._rung = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tidy_at = 0.0
        self._waits_for = ""

    def ring(self) -> None:
        """Look soon: something was reported."""
        self._rung.set()

    def stop(self) -> None:
        """End `run`."""
        self._stopping.set()
        self._rung.set()

    async def view(self, source: str) -> dict[str, Any] | None:
        """
        What keeps a source's statuses away, for people; None when it writes none.

        Raises:
            LogUnavailable: nobody knows now.
        """
        if source not in self._senders:
            return None
        trouble = await self._troubles.of(source)
        return {name: trouble.get(name, "") for name in ("problem", "next", "at")}

    async def run(self) -> None:
        """Work until `stop`; what is under way then gets a second."""
        if not self._senders:
            return
        sending = [
            asyncio.create_task(sender.run(), name=f"commit statuses of {name}")
            for name, sender in self._senders.items()
        ]
        try:
            while not self._stopping.is_set():
                await self._pause(await self._look())
        finally:
            await self._leave(sending)

    async def _look(self) -> float:
        """Look once; the seconds until the next time."""
        try:
            if not await self._has_lease():
                return LOOK_SECONDS
            await self._memory.save()
            await self._tidy()
            jobs = await self._looking.look(AT_A_TIME)
        except LogUnavailable as error:
            self._note_waiting(str(error))
            return LOOK_SECONDS
        except Exception:  # whatever it is, the hub goes on
            logger.exception("commit statuses not worked out")
            return LOOK_SECONDS
        self._note_waiting("")
        for job in jobs:
            self._senders[job.spot.source].want(job)
        return 0.0 if self._looking.has_more else LOOK_SECONDS

    async def _has_lease(self) -> bool:
        lease = await self._log.lease(LEASE, self._owner, LEASE_SECONDS)
        if lease != self._lease or lease is None:
            # Somebody else has it, or had it meanwhile: what is known here may be old.
            self._lease = lease
            self._memory.forget()
            self._looking.forget()
            for sender in self._senders.values():
                sender.forget()
        return lease is not None

    async def _tidy(self) -> None:
        if time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + TIDY_SECONDS
            await self._memory.tidy()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        if self._rung.is_set() and not self._stopping.is_set():
            self._rung.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER_SECONDS):
                    await self._stopping.wait()

    def _note_waiting(self, reason: str) -> None:
        if reason and reason != self._waits_for:  # once, and not at every look
            logger.warning("commit statuses wait for the log", extra={"reason": reason})
        self._waits_for = reason

    async def _leave(self, sending: Sequence["asyncio.Task[Any]"]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await asyncio.gather(*(sender.rested() for sender in self._senders.values()))
        for task in sending:
            task.cancel()
        await asyncio.wait(sending)
        for sender in self._senders.values():
            await sender.close()
        if self._lease:
            with suppress(LogUnavailable):
                await self._memory.save()
                await self._log.release(self._lease)
