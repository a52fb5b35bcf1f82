"""
Bodies of deliveries while they arrive: small ones in memory, others in files that nobody sees.

What strangers send must not decide how much memory the hub needs. A body of which nobody knows yet
whether it is signed is either small, or fits into what bodies may take together, or goes to an
unlinked file; one at a time comes back from there to be verified.
"""

import asyncio
import errno
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from hub.api.asgi import Receive
from hub.problem import Problem

KIB = 1024
FREE_BYTES = 64 * KIB  # what the HTTP server itself keeps for a connection
SMALL_BYTES = 1024 * KIB  # a larger one always goes to a file
MEMORY_BYTES = 8 * 1024 * KIB  # of the bodies between the two, together
DISK_BYTES = 1024 * 1024 * KIB  # of all files together
DRAIN_BYTES = 1024 * KIB
DRAIN_SECONDS = 1.0


class ClientGone(Exception):
    """The sender hung up before the body was complete."""


class SpooledBody:
    """
    A body in a file that has no name.

    Attributes:
        size: bytes, those included that are being written.
    """

    def __init__(self, file: IO[bytes], release: Callable[[int], None]) -> None:
        self.size = 0
        self._file = file
        self._release = release

    def write(self, chunk: bytes) -> None:
        """Add to it; blocks on the disk."""
        if self._file.write(chunk) != len(chunk):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def read(self) -> bytes:
        """All of it; blocks on the disk."""
        self._file.seek(0)
        return self._file.read()

    def close(self) -> None:
        """Forget it, and give back the room it took."""
        self._file.close()
        self._release(self.size)


class Bodies:
    """Reads bodies under the limits above."""

    def __init__(self, directory: Path, limit_bytes: int) -> None:
        """
        Args:
            directory: for the files; made when the first is needed.
            limit_bytes: of one body.
        """
        self._directory = directory
        self._limit = limit_bytes
        self._in_memory = 0
        self._on_disk = 0
        # Not the loop's own threads: a slow disk must not keep everything else waiting.
        self._threads = ThreadPoolExecutor(2, "hub bodies")

    async def read(
        self, receive: Receive, declared: str, worth_reading: Callable[[], None]
    ) -> bytes | SpooledBody:
        """
        A request's body; one in a file is the caller's to close.

        Args:
            receive: the request's.
            declared: its Content-Length, "" when there is none.
            worth_reading: raises a Problem when a large body can be refused unread.

        Raises:
            Problem: it is over the limit, refused unread, or there is no room for it.
            ClientGone: the sender hung up.
        """
        size = _declared_size(declared)
        if size is not None and size > self._limit:
            raise self._too_large()
        if size is None or size > SMALL_BYTES:
            return await self._read_at_length(receive, size, worth_reading)
        if size <= FREE_BYTES:
            return await self._in_one_piece(receive)
        if self._in_memory + size > MEMORY_BYTES:
            return await self._spool(receive, b"")
        self._in_memory += size
        try:
            return await self._in_one_piece(receive)
        finally:
            self._in_memory -= size

    async def _read_at_length(
        self, receive: Receive, size: int | None, worth_reading: Callable[[], None]
    ) -> bytes | SpooledBody:
        start = b""
        more = True
        while size is None and more and len(start) <= FREE_BYTES:
            chunk, more = await _next(receive)
            start += chunk
            if len(start) > self._limit:
                raise self._too_large()
        if not more:
            return start
        worth_reading()
        return await self._spool(receive, start)

    async def _in_one_piece(self, receive: Receive) -> bytes:
        # An HTTP server lets nobody send more than was declared.
        body, more = await _next(receive)
        if not more:
            return body
        chunks = [body]
        while more:
            chunk, more = await _next(receive)
            chunks.append(chunk)
        return b"".join(chunks)

    async def _spool(self, receive: Receive, start: bytes) -> SpooledBody:
        body: SpooledBody = await self._on_the_disk(self._new_file)
        try:
            await self._add(body, start)
            more = True
            while more:
                chunk, more = await _next(receive)
                await self._add(body, chunk)
        except BaseException:
            body.close()
            raise
        return body

    async def _add(self, body: SpooledBody, chunk: bytes) -> None:
        if body.size + len(chunk) > self._limit:
            raise self._too_large()
        if self._on_disk + len(chunk) > DISK_BYTES:
            raise _no_room("the large deliveries that are arriving take all the disk they may")
        self._on_disk += len(chunk)
        body.size += len(chunk)
        await self._on_the_disk(body.write, chunk)

    def _new_file(self) -> SpooledBody:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115 - the caller closes it
        return SpooledBody(file, self._release)

    def _release(self, size: int) -> None:
        self._on_disk -= size

    async def _on_the_disk(self, work: Callable[..., Any], *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._threads, work, *arguments)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])  # the file is the thread's until it is done
            raise
        except OSError as error:
            raise _no_room(f"the hub's disk does not take it: {error.strerror}") from error

    def _too_large(self) -> Problem:
        return Problem(
            413,
            "body-too-large",
            f"the body is over {self._limit} bytes, the rest of it was not read",
            "raise hub.body_limit_bytes if your forge really sends this much",
        )


async def drain(receive: Receive) -> None:
    """
    Read on for a moment, and forget it.

    Closing a connection on which something still arrives resets it, and the sender would then lose
    the answer that says why.
    """
    left = DRAIN_BYTES
    more = True
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while more and left > 0:
                chunk, more = await _next(receive)
                left -= len(chunk)
    except (TimeoutError, ClientGone):
        return


async def _next(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)


def _declared_size(declared: str) -> int | None:
    return int(declared[:20]) if declared.isdecimal() else None


def _no_room(detail: str) -> Problem:
    return Problem(503, "body-not-kept", detail, "make room there, or send it again later")
