"""
The spool's files for asyncio: one thread does everything, and many callers share one fsync.

What arrives while the disk is written to goes there together in the next step.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from hub.log.base import LogUnavailable
from hub.log.spool_files import Batch, SpoolFiles, SpoolFull
from hub.log.spool_position import Place

logger = logging.getLogger(__name__)

T = TypeVar("T")


class SpoolDisk:
    """`SpoolFiles`, step by step in the order of the calls. All raise LogUnavailable."""

    def __init__(self, files: SpoolFiles) -> None:
        self._files = files
        self._thread = ThreadPoolExecutor(1, "hub spool")
        self._unwritten: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self.accepted = 0
        """How many payloads were given to `store`, on the disk or not."""

    async def open(self) -> bool:
        """Find what an earlier process left; whether that is anything."""
        await self._run(self._files.open)
        return not self._files.is_empty

    async def store(self, payload: bytes) -> None:
        """Return when the payload is on the disk."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unwritten.append((payload, future))
        self.accepted += 1
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="hub spool writer")
        await future

    async def read(self, most: int) -> Batch:
        """The next payloads, so many at most; none only when no whole one is left."""
        return await self._run(lambda: self._files.read(most))

    async def set_aside(self, payloads: Sequence[bytes], reason: str) -> None:
        """Keep payloads that cannot be read in a file of their own."""
        await self._run(lambda: self._files.set_aside(payloads, reason))

    async def unreadable(self) -> Path | None:
        """The file with what was set aside, if there is one."""
        return await self._run(lambda: self._files.unreadable)

    async def advance(self, place: Place) -> None:
        """Take up everything before a place."""
        await self._run(lambda: self._files.advance(place))

    async def check(self) -> tuple[int, int]:
        """Prove that the disk can be written to; how many payloads wait on it, and their bytes."""
        return await self._run(self._check)

    async def waiting(self) -> tuple[int, int]:
        """How many payloads wait, and their bytes."""
        return await self._run(lambda: self._files.waiting)

    async def settle(self) -> None:
        """Return when everything accepted so far is on the disk, or could not be put there."""
        if self._writer is not None:
            await asyncio.wait([self._writer])

    async def close(self) -> None:
        """Finish what was accepted."""
        await self.settle()
        await self._run(self._files.close)
        self._thread.shutdown()

    def _check(self) -> tuple[int, int]:
        self._files.check()
        return self._files.waiting

    async def _write(self) -> None:
        while self._unwritten:
            batch, self._unwritten = self._unwritten, []
            error = await self._append([payload for payload, _ in batch])
            for _, future in batch:
                if future.done():  # its caller has gone
                    continue
                if error:
                    future.set_exception(type(error)(*error.args))  # one each has its traceback
                else:
                    future.set_result(None)

    async def _append(self, payloads: list[bytes]) -> LogUnavailable | None:
        try:
            await self._run(lambda: self._files.append(payloads))
        except SpoolFull as error:
            return SpoolFull(f"the spool takes no deliveries: {error}")
        except LogUnavailable as error:
            return LogUnavailable(f"the spool takes no deliveries: {error}")
        except Exception as error:  # whatever it is, the callers must be answered
            logger.exception("the spool takes no deliveries", extra={"deliveries": len(payloads)})
            return LogUnavailable(f"the spool takes no deliveries: {error}")
        return None

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
