"""
A line of a terminal that changes, while a program prints to the same terminal.

It stands below the line that the cursor is in, and the cursor never stays there: what the program
prints begins where it would have begun without us. It stands at the right, where the second line of
what is printed in one go seldom reaches. Nothing needs to be restored in the end. See
https://www.ecma-international.org/publications-and-standards/standards/ecma-48/
"""

import unicodedata

from directcd.pull.sink import Sink

_ROOM = "\x1bD\x1b[A"  # a line below this one, also at the bottom of the screen
_KEEP, _BACK = "\x1b7", "\x1b8"
_CLEAR = "\x1b[J"  # all behind the cursor


class Live:
    """
    Lines that stay, and below them one that changes.

    Args:
        sink: The terminal.
    """

    def __init__(self, sink: Sink) -> None:
        """Show nothing yet."""
        self._sink = sink
        self._shown = ""

    def show(self, text: str) -> None:
        """Let the line be this one; empty: none."""
        if text or self._shown:
            self._sink.write(_CLEAR + self._drawn(text))

    def print(self, text: str) -> None:
        """Print lines that stay."""
        self._sink.write((_CLEAR if self._shown else "") + text + self._drawn(self._shown))

    def _drawn(self, text: str) -> str:
        self._shown = text
        if not text:
            return ""
        room = self._sink.columns - 1
        fit = fitting(text, room)
        return f"{_ROOM}{_KEEP}\r\n{' ' * (room - cells(fit))}{fit}{_BACK}"


def cells(text: str) -> int:
    """How many columns a text takes (https://www.unicode.org/reports/tr11/)."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def fitting(text: str, columns: int) -> str:
    """As much of it as fits: a line that wraps could not be taken back."""
    while text and cells(text) > columns:
        text = text[:-1]
    return text
