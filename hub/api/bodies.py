"""
Bodies of deliveries while they arrive: small ones in memory, others in files that nobody sees.

What strangers send must not decide how much memory the hub needs. A body is charged as it arrives,
until its delivery is answered. What is large, or no longer fits into what bodies may take together,
goes to an unlinked file; from there one at a time comes back to be verified, and small ones do not
wait for large ones. Each comes back in the same thread: the allocator keeps tens of megabytes of
what a thread has freed, for every thread apart.
"""

import asyncio
import errno
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from hub.api.asgi import Receive
from hub.problem import Problem
from hub.verifying import not_kept

KIB = 1024
SMALL_BYTES = 1024 * KIB  # a larger one always goes to a file
MEMORY_BYTES = 8 * 1024 * KIB  # of the others, together
PIECES_BYTES = 16 * 1024 * KIB  # on their way to files, when the disk is slower than the senders
DISK_BYTES = 1024 * 1024 * KIB  # of all files together
DRAIN_BYTES = 1024 * KIB
DRAIN_SECONDS = 1.0
LENGTH_DIGITS = 15  # of a Content-Length; a petabyte is too large whatever the limit


class ClientGone(Exception):
    """The sender hung up before the body was complete."""


class SpooledBody:
    """
    A body in a file that has no name.

    Attributes:
        size: bytes, those included that are being written.
        reader: reads it back; one thread, that all bodies of its size have.
    """

    def __init__(self, file: IO[bytes], reader: Executor, release: Callable[[int], None]) -> None:
        self.size = 0
        self.reader = reader
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

    def beginning(self, size: int) -> bytes:
        """At most so many bytes of it; blocks on the disk."""
        self._file.seek(0)
        return self._file.read(size)

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
        self._on_the_way = 0
        self._on_disk = 0
        # What is small must not stand behind what is large.
        self._small_reader = ThreadPoolExecutor(1, "hub small bodies")
        self._large_reader = ThreadPoolExecutor(1, "hub large bodies")
        # Not the loop's own threads: a slow disk must not keep everything else waiting.
        self._threads = ThreadPoolExecutor(2, "hub bodies")

    async def read(
        self, receive: Receive, declared: str, worth_reading: Callable[[], None]
    ) -> bytes | SpooledBody:
        """
        A request's body; the caller gives it back once the request is answered.

        Args:
            receive: the request's.
            declared: its Content-Length, "" when there is none.
            worth_reading: raises a Problem when a body can be refused unread.

        Raises:
            Problem: it is over the limit, refused unread, or there is no room for it.
            ClientGone: the sender hung up.
        """
        size = _declared_size(declared)
        if size > self._limit:
            raise self._too_large()
        if size > SMALL_BYTES:
            worth_reading()
            return await self._fill(await self._spool([]), receive)
        pieces: list[bytes] = []
        if await _next(receive, pieces.append):
            return await self._in_pieces(receive, pieces, worth_reading)
        [body] = pieces
        if len(body) > self._limit:
            raise self._too_large()
        self._in_memory += len(body)
        return body

    def give_back(self, body: bytes | SpooledBody) -> None:
        """Forget a body, and let others have its room."""
        if isinstance(body, bytes):
            self._in_memory -= len(body)
        else:
            body.close()

    async def _in_pieces(
        self, receive: Receive, pieces: list[bytes], worth_reading: Callable[[], None]
    ) -> bytes | SpooledBody:
        held = 0

        def hold(piece: bytes) -> None:
            nonlocal held
            pieces.append(piece)
            held += len(piece)
            self._in_memory += len(piece)

        hold(pieces.pop())
        try:
            more = True
            while more and self._stays_in_memory(held):
                more = await _next(receive, hold)
            if held > self._limit:
                raise self._too_large()
            if not more:
                body = b"".join(pieces)
                self._in_memory += held
                return body
            worth_reading()
            file = await self._spool(pieces)
        finally:
            self._in_memory -= held
        return await self._fill(file, receive)

    def _stays_in_memory(self, held: int) -> bool:
        return held <= min(SMALL_BYTES, self._limit) and self._in_memory <= MEMORY_BYTES

    async def _spool(self, pieces: list[bytes]) -> SpooledBody:
        # Takes the pieces off the list: only the file has them then.
        body: SpooledBody = await self._on_the_disk(self._new_file)
        try:
            while pieces:
                await self._add(body, pieces.pop(0))
        except BaseException:
            body.close()
            raise
        return body

    async def _fill(self, body: SpooledBody, receive: Receive) -> SpooledBody:
        arrived: list[bytes] = []
        more = True
        try:
            while more:
                more = await _next(receive, arrived.append)
                await self._add(body, arrived.pop())
        except BaseException:
            body.close()
            raise
        if body.size > SMALL_BYTES:
            body.reader = self._large_reader
        return body

    async def _add(self, body: SpooledBody, chunk: bytes) -> None:
        if body.size + len(chunk) > self._limit:
            raise self._too_large()
        if self._on_disk + len(chunk) > DISK_BYTES:
            raise not_kept("the large deliveries that are arriving take all the disk they may")
        if self._on_the_way + len(chunk) > PIECES_BYTES:
            raise not_kept("more arrives at once than the hub's disk takes")
        self._on_disk += len(chunk)
        body.size += len(chunk)
        self._on_the_way += len(chunk)
        try:
            await self._on_the_disk(body.write, chunk)
        finally:
            self._on_the_way -= len(chunk)

    def _new_file(self) -> SpooledBody:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115 - the caller closes it
        return SpooledBody(file, self._small_reader, self._release)

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
            raise not_kept(f"the hub's disk does not take it: {error.strerror}") from error

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
    arrived: list[bytes] = []
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while more and left > 0:
                more = await _next(receive, arrived.append)
                left -= len(arrived.pop())
    except (TimeoutError, ClientGone):
        return


async def _next(receive: Receive, take: Callable[[bytes], object]) -> bool:
    # Whoever waits for the next piece must not hold the last one: there are many who wait.
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    take(message.get("body", b""))
    more: bool = message.get("more_body", False)
    return more


def _declared_size(declared: str) -> int:
    # Zeros may stand before it, and Python itself refuses to read thousands of digits.
    if not (declared.isascii() and declared.isdecimal()):
        return 0
    digits = declared.lstrip("0") or "0"
    return int(digits) if len(digits) <= LENGTH_DIGITS else 10**LENGTH_DIGITS
