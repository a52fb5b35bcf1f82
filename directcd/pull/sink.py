"""
Where text goes that nobody may read: a descriptor that may be closed, hung up or full.

Written past Python's buffer, which would fail once more when the process ends.
"""

import os
import select
from typing import TextIO


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
        """Write it now, as a whole."""
        left = text.encode(self._encoding, "backslashreplace")
        while left and not self._is_gone:
            left = left[self._write(left) :]

    def _write(self, data: bytes) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:  # a program that shares it has asked for that
            select.select([], [self._descriptor], [])
            return 0
        except OSError:
            self._is_gone = True
            return 0
