"""A real terminal, whose screen is read from the other side."""

import fcntl
import os
import pty
import select
import struct
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

QUIET_SECONDS = 0.05


class Terminal:
    """
    What is written to `stream` is what `read` returns.

    Attributes:
        stream: Its inner side, as a standard stream.
    """

    def __init__(self, stream: TextIO, outside: int) -> None:
        self.stream = stream
        self._outside = outside
        self._seen = ""

    def read(self) -> str:
        """What was written since the last time."""
        said = b""
        while select.select([self._outside], [], [], QUIET_SECONDS)[0]:
            said += os.read(self._outside, 65_536)
        return said.decode(self.stream.encoding)

    def seen(self) -> str:
        """What has been read by this so far, and what was written since."""
        self._seen += self.read()
        return self._seen

    def hang_up(self) -> None:
        """Be gone, as when a window is closed."""
        os.close(self._outside)
        self._outside = -1

    @property
    def is_there(self) -> bool:
        """Whether it did not hang up."""
        return self._outside >= 0


@contextmanager
def terminal(columns: int = 80, encoding: str = "utf-8") -> Iterator[Terminal]:
    """One of a width, which passes on what is written as it is."""
    outside, inside = pty.openpty()
    tty.setraw(inside)
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(inside, "w", encoding=encoding) as stream:
        one = Terminal(stream, outside)
        try:
            yield one
        finally:
            if one.is_there:
                one.hang_up()
