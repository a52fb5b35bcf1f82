"""What a command prints: the last of it in memory, more of it in a log."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

TAIL_BYTES = 64 * 1024
"""Enough for the last lines of a failed build."""

LOG_BYTES = 64 * 1024 * 1024
"""A build that prints for ever must not fill the disk: the rest is left out, but for its end."""

DRAIN_SECONDS = 1.0
"""For output that is still in the pipe when the command has ended."""


@dataclass
class Output:
    """
    The tails of two pipes and the log.

    The pipes are our own, not asyncio's: a daemon that inherited one must not keep us waiting for
    its end of file.
    """

    log: FileIO | None
    stdout_end: int = -1
    stderr_end: int = -1
    room: int = 0
    left_out: int = 0
    stdout: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    readers: "list[_Reader]" = field(default_factory=list)

    def add(self, data: bytes) -> None:
        """Remember output of either pipe."""
        _append(self.tail, data)
        logged = data[: self.room]
        self.room -= len(logged)
        self.left_out += len(data) - len(logged)
        self._write(logged)

    def finish_log(self) -> None:
        """Append the end of an output that was too long: there stands what went wrong."""
        end = bytes(self.tail[-self.left_out :]) if self.left_out else b""
        if missing := self.left_out - len(end):
            self._write(f"\n… {missing} bytes left out …\n".encode())
        self._write(end)

    def _write(self, data: bytes) -> None:
        """A log that the disk does not take must not stop the command."""
        if self.log and data:
            with contextlib.suppress(OSError):
                self.log.write(data)

    async def drain(self) -> None:
        """Read what a command that has ended left in the pipes."""
        # Somebody else may hold a pipe open; what the command wrote is here by then. (Not wait_for,
        # which Python 3.11 lets swallow a cancel: https://github.com/python/cpython/issues/86296)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                for reader in self.readers:
                    await reader.closed.wait()

    def close_write_ends(self) -> None:
        """Close our copies, so that the end of the last writer is the end of file."""
        os.close(self.stdout_end)
        os.close(self.stderr_end)


class _Reader(asyncio.Protocol):
    """One pipe's bytes, as they come."""

    def __init__(self, output: Output, kept: bytearray | None) -> None:
        self.output = output
        self.kept = kept
        self.closed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.output.add(data)
        if self.kept is not None:
            _append(self.kept, data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        self.closed.set()


@asynccontextmanager
async def collected(log: Path | None) -> AsyncIterator[Output]:
    """
    Two pipes and an open log for one command.

    Args:
        log: File that the output is appended to, if any.
    """
    async with AsyncExitStack() as stack:
        # Unbuffered: whoever follows the log sees each line when it is there.
        file = stack.enter_context(log.open("ab", buffering=0)) if log else None
        output = Output(file, room=max(LOG_BYTES - file.tell(), 0) if file else 0)
        stack.callback(output.finish_log)
        output.stdout_end = await _pipe(stack, _Reader(output, output.stdout))
        output.stderr_end = await _pipe(stack, _Reader(output, None))
        yield output


async def _pipe(stack: AsyncExitStack, reader: _Reader) -> int:
    """Connect a reader; the write end is the caller's to close."""
    read_end, write_end = os.pipe()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: reader, os.fdopen(read_end, "rb", buffering=0)
    )
    stack.callback(transport.close)
    reader.output.readers.append(reader)
    return write_end


def _append(kept: bytearray, data: bytes) -> None:
    kept += data
    del kept[:-TAIL_BYTES]
