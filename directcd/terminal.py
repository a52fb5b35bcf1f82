"""
Text of strangers for a terminal: what a build prints must not move the cursor or set a title.

Colours (SGR sequences) stay. See https://www.ecma-international.org/publications-and-standards/standards/ecma-48/
"""

import codecs
import re

_COLOUR = r"\x1b\[[0-9;:]*m"
_CONTROL_SEQUENCE = r"\x1b\[[0-?]*[ -/]*[@-~]"
_STRING = r"\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)"
_COMPLETE = re.compile(f"{_COLOUR}|{_CONTROL_SEQUENCE}|{_STRING}|\x1b[^\\[\\]PX^_]")
# The last alternative: control characters, and those that turn the direction of writing.
_UNWANTED = re.compile(
    f"({_COLOUR})|{_CONTROL_SEQUENCE}|{_STRING}"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_LONGEST_SEQUENCE = 256


def printable(text: str) -> str:
    """The text without anything that a terminal would obey, but for colours, tabs and lines."""
    return _UNWANTED.sub(lambda found: found[1] or "", re.sub("\r+\n|\r", "\n", text))


def colourless(text: str) -> str:
    """The same without the colours, which would go on behind it."""
    return re.sub(_COLOUR, "", printable(text))


def line(text: str) -> str:
    """That on one line."""
    return " ".join(colourless(text).split())


def counted(number: int, noun: str) -> str:
    """So many of something: `1 problem`, `2 problems`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


class Printer:
    """The same for bytes that come in pieces, which may end in the middle of a sequence."""

    def __init__(self) -> None:
        """Begin with nothing held back."""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._held = ""

    def feed(self, piece: bytes) -> str:
        """What can be printed now."""
        text = self._held + self._decode(piece)
        start = text.rfind("\x1b", -_LONGEST_SEQUENCE)
        whole = start < 0 or _COMPLETE.match(text, start)
        ready, self._held = (text, "") if whole else (text[:start], text[start:])
        return printable(ready)
