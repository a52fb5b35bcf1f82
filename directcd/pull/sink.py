"""
Where text goes that nobody may read: a descriptor that may be closed, hung up or full.

Written past Python's buffer, which would fail once more when the process ends; and only as much as
the kernel takes at once, for who does not read must not keep a program from being delivered.
"""

import os
import select
import time
from typing import TextIO

PATIENCE_SECONDS = 0.5
"""Somebody may just be busy; after that nothing is waited for until it is read again."""

_PIECE_BYTES = select.PIPE_BUF  # what a pipe that can be written takes without waiting: pipe(7)


class Sink:
    """
    A standard stream; once it cannot be written to, it stays silent, and nobody is hurt.

    Args:
        stream: Which one.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write nothing yet."""
        self._descriptor = stream.fileno()
        self._encoding = stream.encoding
        self._is_gone = False
        self._is_stuck = False
        self._left = b""

    def shows(self, text: str) -> bool:
        """Tell whether the characters exist in the stream's encoding."""
        try:
            text.encode(self._encoding)
        except UnicodeEncodeError:
            return False
        return True

    @property
    def columns(self) -> int:
        """The terminal's width, a usual one where there is none."""
        try:
            return os.get_terminal_size(self._descriptor).columns or 80
        except OSError:
            return 80

    def write(self, text: str) -> None:
        """Write it now, as a whole; when it is not read for long, not at all."""
        patience = 0.0 if self._is_stuck else PATIENCE_SECONDS
        self._left = self._written(self._left, patience)
        if not self._left:
            data = text.encode(self._encoding, "backslashreplace")
            left = self._written(data, patience)
            # Of what was begun the rest is owed: nobody reads half a line.
            self._left = left if len(left) < len(data) else b""
            self._is_stuck = bool(left)

    def flush(self) -> None:
        """Nothing is kept back that could be written."""

    def _written(self, data: bytes, patience_seconds: float) -> bytes:
        """Write what is taken in time; what is left."""
        deadline = time.monotonic() + patience_seconds
        while data and not self._is_gone and self._is_writable(deadline - time.monotonic()):
            taken = self._write(data[:_PIECE_BYTES])
            data = data[taken:]
            if not taken and time.monotonic() >= deadline:
                break  # what says that it can be written, and takes nothing
        return b"" if self._is_gone else data

    def _is_writable(self, seconds: float) -> bool:
        poller = select.poll()
        poller.register(self._descriptor, select.POLLOUT)
        return bool(poller.poll(max(0.0, seconds) * 1000))

    def _write(self, data: bytes) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0
        except OSError:
            self._is_gone = True
            return 0
