"""
The spool in front of a log that is elsewhere: while Redis is away, deliveries wait on this disk.

What arrives is answered either by the log or by this hub's own disk, and what is on the disk is
appended to the log in order before anything new goes there directly.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from hub.log.base import (
    Appended,
    Cursor,
    DeliveryRecord,
    Log,
    LogError,
    LogUnavailable,
    NewEvent,
)
from hub.log.locking import lock_directory
from hub.log.passing import PassedOn
from hub.log.spool_disk import SpoolDisk
from hub.log.spool_files import LIMIT_BYTES, SpoolFiles

logger = logging.getLogger(__name__)

Entry = tuple[DeliveryRecord, list[NewEvent]]

RETRY_SECONDS = 0.5  # between two attempts while the log is there and refuses
HOLD_DELIVERIES = 1_000  # taken up while new ones wait: at most a second, mostly a tenth of that

_ENCODE = msgspec.msgpack.Encoder().encode
_DECODER: msgspec.msgpack.Decoder[Entry] = msgspec.msgpack.Decoder(Entry)


class LateLog(Log, Protocol):
    """A log that can be away for a while, and can be told later what happened meanwhile."""

    async def append_late(self, delivery: DeliveryRecord, events: Sequence[NewEvent]) -> Appended:
        """Append what was received some time ago, unless a delivery of that nonce is there."""

    async def wait_until_up(self) -> None:
        """Return when appends can succeed."""


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Since when, and for what reason, the log takes nothing."""

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
            resources.enter_context(lock_directory(self._directory, advice))
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

    async def append(self, delivery: DeliveryRecord, events: Sequence[NewEvent]) -> Appended:
        """
        Store a delivery in the log or, while that is away, on this disk.

        Raises:
            LogUnavailable: neither took it.
        """
        if not self._gate.is_set():
            await self._gate.wait()
        if not self._spooling.is_set():
            try:
                return await self._engine.append(delivery, events)
            except LogUnavailable as error:  # perhaps it was done: the nonce will tell
                self._note(error)
        if self._closed:
            raise LogUnavailable("the log is closed")
        await self._disk.store(_ENCODE((delivery, events)))
        return Appended(0, spooled=True)

    async def check(self) -> str:
        """
        Prove that a delivery can be stored.

        Returns:
            Since when the log is away and how much waits for it; "" when all is well.

        Raises:
            LogUnavailable: the log is away, and this disk takes nothing either.
        """
        if not self._spooling.is_set():
            try:
                return await self._engine.check()
            except LogUnavailable as error:
                self._note(error)
        records, size = await self._disk.check()
        away = ""
        if self._trouble:
            since = self._trouble.since.isoformat(timespec="seconds")
            away = f"Redis is unreachable since {since} ({self._trouble.reason}); "
        return f"{away}{records} deliveries ({size} bytes) wait in {self._directory}"

    async def close(self) -> None:
        """Finish what was accepted; what is not in the log yet stays for the next start."""
        self._closed = True
        self._replay.cancel()
        with suppress(asyncio.CancelledError):
            await self._replay
        await self._engine.close()
        await self._resources.aclose()

    def _note(self, error: LogError) -> None:
        if self._trouble is None:
            keys = {"reason": str(error), "directory": str(self._directory)}
            logger.warning("the log is away, deliveries wait on this disk", extra=keys)
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
        while await self._replay_batch() > HOLD_DELIVERIES:
            pass
        # Now nobody may add, or a steady stream of deliveries would keep it from ever being empty.
        self._gate.clear()
        try:
            while not await self._replay_last():
                pass
            self._spooling.clear()
            logger.info("the log has everything", extra={"directory": str(self._directory)})
        finally:
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
        batch = await self._disk.read()
        entries = [entry for entry in map(_decoded, batch.payloads) if entry]
        for together in _independent(entries):
            calls = (self._engine.append_late(*entry) for entry in together)
            for result in await asyncio.gather(*calls, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result
        await self._disk.advance(batch.end)
        self._trouble = None
        return batch.left


def _decoded(payload: bytes) -> Entry | None:
    try:
        return _DECODER.decode(payload)
    except msgspec.MsgspecError:
        logger.exception("a delivery in the spool is not understood, it is skipped")
        return None


def _independent(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    # Deliveries that follow each other and share no ref: if one of them fails and a later one does
    # not, no ref has gone backwards.
    together: list[Entry] = []
    subjects: set[str] = set()
    for entry in entries:
        own = {event.subject for event in entry[1]}
        if not own.isdisjoint(subjects):
            yield together
            together, subjects = [], set()
        together.append(entry)
        subjects |= own
    if together:
        yield together
