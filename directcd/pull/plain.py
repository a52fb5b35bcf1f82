"""What happens as plain lines: for files, containers' logs and journals."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from cd4sources.reporting import StageReport
from directcd.logs import KeyValueFormatter
from directcd.pull.records import indented
from directcd.pull.sentences import Sentences
from directcd.pull.sink import Sink
from directcd.pull.standing import Lasting


class Plain:
    """
    One line a finished step, and one for each line below it: time, how it went, what.

    Log records look the same, so that everything can be searched in one way.

    Args:
        sink: Where to.
        sentences: The words.
    """

    def __init__(self, sink: Sink, sentences: Sentences) -> None:
        """Nothing was told yet."""
        self._sink = sink
        self._sentences = sentences
        self._format = KeyValueFormatter().format

    def lasts(self, lasting: Lasting) -> None:
        """A line says what has ended."""

    def ended(self, report: StageReport) -> None:
        """Tell how a stage ended."""
        told = self._sentences.of(report)
        if told:
            kind = "ok" if told.is_good else "failed"
            lines = f"{told.words}  {told.took}", *(f"  {one}" for one in told.more)
            self._write(kind, report.ended_at, lines)

    def say(self, sentence: str) -> None:
        """Tell what belongs to the step before."""
        self._write("failed", datetime.now(UTC), [f"  {sentence}"])

    def record(self, record: logging.LogRecord) -> None:
        """Tell what was logged."""
        self._sink.write(indented(self._format(record)) + "\n")

    def close(self) -> None:
        """Nothing is left to be told."""

    def _write(self, kind: str, at: datetime, lines: Sequence[str]) -> None:
        time = at.astimezone(UTC).isoformat(timespec="milliseconds")
        self._sink.write("".join(f"{time} {kind:7} {one}\n" for one in lines))
