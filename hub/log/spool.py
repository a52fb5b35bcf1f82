"""
The spool in front of a log that is elsewhere: while Redis is away, deliveries wait on this disk.

What arrives is answered either by the log or by this hub's own disk, and what is on the disk is
appended to the log in order before anything new goes there directly.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from hub.log.base import Log, LogError, LogUnavailable
from hub.log.locking import lock_directory
from hub.log.passing import PassedOn
from hub.log.spool_disk import SpoolDisk
from hub.log.spool_entries import decoded, encoded, independent
from hub.log.spool_files import LIMIT_BYTES, SpoolFiles
from hub.log.values import Appended, Cursor, DeliveryRecord, NewEvent

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5  # between two attempts while the log is there and refuses
HOLD_SECONDS = 0.5  # new deliveries wait for the last ones when these should take less than this
MOST_HOLD_SECONDS = 1.5  # and no longer than this, if they take longer after all
BATCH_SECONDS = 0.5  # a batch that fails is appended from its beginning again: it must be short
LEAST_TOGETHER, MOST_TOGETHER = 16, 256  # fewer would show no rate but the round trip's


class LateLog(Log, Protocol):
    """A log that can be away for a while, and can be told later what happened meanwhile."""

    async def append_late(self, delivery: DeliveryRecord, events: Sequence[NewEvent]) -> Appended:
        """Append what was received some time ago, unless a delivery of that nonce is there."""

    async def wait_until_up(self) -> None:
        """Return when appends can succeed."""

    @property
    def trouble(self) -> tuple[datetime, str] | None:
        """Since when appends cannot succeed, and why; None when they can."""


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Since when, and for what reason, a log that is there takes nothing."""

    since: datetime
    reason: str


class SpooledLog(PassedOn):
    """The `Log` protocol over a log that may be away; everything but appending is passed on."""

    def __init__(
        self,
        engine: LateLog,
        directory: Path,
        *,
        limit_bytes: int = LIMIT_BYTES,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """
        Args:
            engine: the log proper.
            directory: this process's own.
            limit_bytes: what the directory may hold; beyond that deliveries are refused.
            clock: the time, aware and in UTC.
        """
        super().__init__(engine)
        self._engine = engine
        self._directory = directory
        self._disk = SpoolDisk(SpoolFiles(directory, limit_bytes=limit_bytes))
        self._clock = clock
        self._trouble: _Trouble | None = None
        self._rate = 0.0  # deliveries a second, in the last batch
        self._together = LEAST_TOGETHER
        self._spooling = asyncio.Event()  # nothing may go to the log directly
        self._gate = asyncio.Event()  # closed for the moment in which the last is taken up
        self._gate.set()
        self._closed = False
        self._resources = AsyncExitStack()

    async def open(self) -> None:
        """
        Take over what an earlier process left, and open the log.

        Raises:
            LogInUse: another process uses the directory.
            LogUnavailable: the directory cannot be used.
            LogUnfit: the log cannot be used as it is set up.
        """
        async with AsyncExitStack() as resources:
            advice = "each hub needs a data directory of its own"
            resources.enter_context(lock_directory(self._directory, advice, self._directory.parent))
            resources.push_async_callback(self._disk.close)
            if await self._disk.open():
                self._spooling.set()
            await self._engine.open()
            self._resources = resources.pop_all()
        self._replay = asyncio.create_task(self._keep_replaying(), name="hub spool replay")

    @property
    def head(self) -> Cursor:
        """The newest event published to listeners."""
        return self._engine.head

    async def waiting(self) -> tuple[int, int]:
        """How many deliveries wait on this disk, and how many bytes they have."""
        return await self._disk.waiting()

    async def append(self, delivery: DeliveryRecord, events: Sequence[NewEvent]) -> Appended:
        """
        Store a delivery in the log or, while that is away, on this disk.

        Raises:
            LogUnavailable: neither took it.
        """
        if not self._gate.is_set():  # asked once: nobody waits for a second hold
            await self._gate.wait()
        if not self._spooling.is_set():
            try:
                return await self._engine.append(delivery, events)
            except LogUnavailable as error:  # perhaps it was done: the nonce will tell
                self._note(error)
        if self._closed:
            raise LogUnavailable("the log is closed")
        await self._disk.store(encoded(delivery, events))
        return Appended(0, spooled=True)

    async def check(self) -> str:
        """
        Prove that a delivery can be stored.

        Returns:
            Since when the log is away, how much waits for it, and what file has deliveries that
            this version cannot read; "" when all is well.

        Raises:
            LogUnavailable: the log is away, and this disk takes nothing either.
        """
        if not self._spooling.is_set():
            try:
                degraded = await self._engine.check()
                return "; ".join(filter(None, (degraded, await self._aside())))
            except LogUnavailable as error:
                self._note(error)
        records, size = await self._disk.check()
        waiting = f"{records} deliveries ({size} bytes) wait in {self._directory}"
        return "; ".join(filter(None, (self._away(), waiting, await self._aside())))

    async def close(self) -> None:
        """Finish what was accepted; what is not in the log yet stays for the next start."""
        self._closed = True
        self._replay.cancel()
        with suppress(asyncio.CancelledError):
            await self._replay
        await self._engine.close()
        await self._resources.aclose()

    def _away(self) -> str:
        if self._engine.trouble:
            since, reason = self._engine.trouble
        elif self._trouble:
            since, reason = self._trouble.since, self._trouble.reason
        else:
            return ""
        return f"Redis takes nothing since {since.isoformat(timespec='seconds')} ({reason})"

    async def _aside(self) -> str:
        path = await self._disk.unreadable()
        return f"{path} has deliveries that this version cannot read" if path else ""

    def _note(self, error: LogError) -> None:
        if not self._spooling.is_set():
            keys = {"reason": str(error), "directory": str(self._directory)}
            logger.warning("the log is away, deliveries wait on this disk", extra=keys)
        if self._engine.trouble:  # it knows better
            self._trouble = None
        else:
            since = self._trouble.since if self._trouble else self._clock()
            self._trouble = _Trouble(since, str(error))
        self._spooling.set()

    async def _keep_replaying(self) -> None:
        while True:
            await self._spooling.wait()
            try:
                await self._engine.wait_until_up()
                await self._replay_all()
            except LogError as error:
                self._note(error)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:  # a mistake must not end it for good
                logger.exception("what waits on this disk could not be appended")
                await asyncio.sleep(RETRY_SECONDS)

    async def _replay_all(self) -> None:
        left = await self._replay_batch()
        while left > self._rate * HOLD_SECONDS:
            before, left = left, await self._replay_batch()
            if left >= before:  # they come faster than they are taken up: hold them now and then
                break
        # Now nobody may add, or a steady stream of deliveries would keep it from ever being empty.
        self._gate.clear()
        # What takes too long goes on afterwards, a batch at least without holding anybody.
        # It is opened even while an append is under way; whoever waited is then spooled, behind.
        overdue = asyncio.get_running_loop().call_later(MOST_HOLD_SECONDS, self._gate.set)
        try:
            while not self._gate.is_set():
                if await self._replay_last():
                    self._spooling.clear()
                    self._trouble = None
                    logger.info("the log has everything", extra={"directory": str(self._directory)})
                    return
        finally:
            overdue.cancel()
            self._gate.set()

    async def _replay_last(self) -> bool:
        """Append what comes next; whether nothing can be left."""
        accepted = self._disk.accepted
        await self._disk.settle()
        left = await self._replay_batch()
        # An append that went to the log before it was away may have failed only now.
        return not left and accepted == self._disk.accepted

    async def _replay_batch(self) -> int:
        """Append what comes next; how many deliveries are left."""
        start = time.monotonic()
        batch = await self._disk.read(self._together)
        found = decoded(batch.payloads)
        for together in independent(found.entries):
            calls = (self._engine.append_late(*entry) for entry in together)
            for result in await asyncio.gather(*calls, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result
        if found.unreadable:
            await self._disk.set_aside(found.unreadable, found.reason)
        await self._disk.advance(batch.end)
        if batch.payloads:
            self._trouble = None
            self._rate = len(batch.payloads) / max(time.monotonic() - start, 1e-6)
            fitting = int(self._rate * BATCH_SECONDS)
            self._together = min(max(fitting, LEAST_TOGETHER), MOST_TOGETHER)
        return batch.left
