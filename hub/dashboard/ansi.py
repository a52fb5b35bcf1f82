"""
What a build printed, as lines of coloured spans.

Of a terminal's commands only colours and weights have a meaning here (SGR sequences,
https://www.ecma-international.org/publications-and-standards/standards/ecma-48/ 8.3.117); they
become names of classes that the style sheet knows, and all others are dropped.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from hub.dashboard.text import visible

MOST_LINES = 5_000
_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_SEQUENCE = re.compile(
    r"\x1b\[([0-9;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|\x1b[^\[]?"
)
_RESET, _BOLD, _DIM, _NORMAL, _DEFAULT = 0, 1, 2, 22, 39
_PLAIN, _BRIGHT = range(30, 38), range(90, 98)
_EXTENDED = frozenset({38, 48})  # of the letters, of the ground
_MOST_PARAMETERS = 32  # of one sequence; a terminal takes no more
_ARGUMENTS = {5: 1, 2: 3}  # of an extended colour: by number, or by red, green and blue


@dataclass(frozen=True, slots=True)
class Span:
    """Text with the names of its classes."""

    text: str
    classes: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, counted from 1."""

    number: int
    spans: tuple[Span, ...]

    @property
    def text(self) -> str:
        """Without colours."""
        return "".join(span.text for span in self.spans)


def colourless(text: str) -> str:
    """Text without a terminal's commands."""
    return _SEQUENCE.sub("", text)


def lines(text: str) -> list[Line]:
    """The last lines of a log; colours go on from one to the next, as on a terminal."""
    style: dict[str, str] = {}
    found = []
    printed = re.split(r"\r?\n", text.rstrip("\n"))
    left_out = max(len(printed) - MOST_LINES, 0)
    for number, line in enumerate(printed[left_out:], left_out + 1):
        # What was printed over by a carriage return is not seen on a terminal either.
        shown = line.rstrip("\r").rpartition("\r")[2]
        found.append(Line(number, tuple(_spans(shown, style))))
    return found


def _spans(line: str, style: dict[str, str]) -> Iterator[Span]:
    at = 0
    for sequence in _SEQUENCE.finditer(line):
        if sequence.start() > at:
            yield _span(line[at : sequence.start()], style)
        at = sequence.end()
        if sequence[1] is not None:
            _apply(sequence[1], style)
    if at < len(line):
        yield _span(line[at:], style)


def _span(text: str, style: dict[str, str]) -> Span:
    return Span(visible(text), " ".join(style.values()))


def _apply(parameters: str, style: dict[str, str]) -> None:
    asked = re.split("[;:]", parameters, maxsplit=_MOST_PARAMETERS)[:_MOST_PARAMETERS]
    numbers = iter([int(one[:3]) if one else 0 for one in asked])
    for number in numbers:
        if number in _EXTENDED:
            left_out = _ARGUMENTS.get(next(numbers, 0), 0)
            list(islice(numbers, left_out))
        else:
            _set(number, style)


def _set(number: int, style: dict[str, str]) -> None:
    if number == _RESET:
        style.clear()
    elif number in {_BOLD, _DIM}:
        style["weight"] = "sgr-bold" if number == _BOLD else "sgr-dim"
    elif number == _NORMAL:
        style.pop("weight", None)
    elif number == _DEFAULT:
        style.pop("colour", None)
    elif number in _PLAIN or number in _BRIGHT:
        style["colour"] = f"sgr-{_COLOURS[number % 10]}"
