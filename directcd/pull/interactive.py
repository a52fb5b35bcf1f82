"""What happens on a terminal: a line a finished step, and a live one for what takes its time."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import cycle

from cd4sources.reporting import Stage, StageReport
from directcd.logs import KeyValueFormatter
from directcd.pull.live import Live, cells
from directcd.pull.records import indented
from directcd.pull.sentences import Sentences, Told, doing
from directcd.pull.sink import Sink
from directcd.pull.standing import Lasting

FRAME_SECONDS = 0.1
_COLUMN = 72  # where times end, on terminals that are wide enough

_GREEN, _RED, _YELLOW, _DIM = "32", "31", "33", "2"


class Interactive:
    """
    Tells it on the terminal that the program prints to as well.

    Args:
        sink: The terminal.
        sentences: The words.
        environment: Where NO_COLOR (https://no-color.org) and TERM are looked up.
    """

    def __init__(self, sink: Sink, sentences: Sentences, environment: Mapping[str, str]) -> None:
        """Nothing was told yet."""
        is_dumb = environment.get("TERM", "") in {"", "dumb"}
        is_unicode = sink.shows("✓✗⠋")
        self._sink = sink
        self._sentences = sentences
        self._live = None if is_dumb else Live(sink)
        self._has_colour = not is_dumb and not environment.get("NO_COLOR")
        self._good, self._bad = "✓✗" if is_unicode else "+x"
        self._frames = cycle("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if is_unicode else "|/-\\")
        self._lasting: dict[Stage, Lasting] = {}
        self._tick: asyncio.TimerHandle | None = None
        self._format = KeyValueFormatter().format

    def lasts(self, lasting: Lasting) -> None:
        """Show that a stage takes its time."""
        self._lasting[lasting.stage] = lasting
        if self._live and self._tick is None:
            self._draw(self._live)

    def ended(self, report: StageReport) -> None:
        """Tell how a stage ended."""
        self._lasting.pop(report.stage, None)
        if not self._lasting:
            self._still()
        told = self._sentences.of(report)
        if told:
            self._print(self._lines(told))

    def say(self, sentence: str) -> None:
        """Tell what belongs to the step before."""
        self._print(self._below(sentence))

    def record(self, record: logging.LogRecord) -> None:
        """Tell what was logged, without its time: people are there when it happens."""
        colour = _YELLOW if record.levelno >= logging.WARNING else _DIM
        text = self._format(record).split(maxsplit=2)[-1]  # behind the time and the level
        self._print(self._painted(indented(f"! {text}"), colour) + "\n")

    def close(self) -> None:
        """Leave nothing that changes."""
        self._lasting.clear()
        self._still()

    def _draw(self, live: Live) -> None:
        now = datetime.now(UTC)
        words = "  ".join(doing(one, now) for one in self._lasting.values())
        live.show(f"{next(self._frames)} {words}")
        self._tick = asyncio.get_running_loop().call_later(FRAME_SECONDS, self._draw, live)

    def _still(self) -> None:
        if self._tick and self._live:
            self._tick.cancel()
            self._tick = None
            self._live.show("")

    def _lines(self, told: Told) -> str:
        mark, colour = (self._good, _GREEN) if told.is_good else (self._bad, _RED)
        gap = min(_COLUMN, self._sink.columns) - cells(f"{mark} {told.words}{told.took}")
        first = f"{self._painted(mark, colour)} {told.words}{' ' * max(2, gap)}{told.took}\n"
        return first + "".join(map(self._below, told.more))

    def _below(self, sentence: str) -> str:
        return self._painted(f"  {sentence}", _DIM) + "\n"

    def _painted(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._has_colour else text

    def _print(self, text: str) -> None:
        if self._live:
            self._live.print(text)
        else:
            self._sink.write(text)
