"""Log records among the lines that tell what happens."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from directcd import logs
from directcd.terminal import colourless

_TOLD = frozenset(
    {
        "announced commit never shown",
        "pass",
        "pass failed",
        "version published",
        "version running",
    }
)
"""A step's line says it already."""

_ENDS = "cd4sources.backoff"
"""The logger that says, below a warning, that what it has warned of is over."""

_QUARANTINED = "version rolled back and quarantined"


class Teller(Protocol):
    """Who tells people what happens."""

    def say(self, sentence: str) -> None:
        """Tell what belongs to the step before."""

    def record(self, record: logging.LogRecord) -> None:
        """Tell what was logged."""


class Among(logging.Handler):
    """
    Has records told by whoever tells the steps, but for what a step's line says.

    Args:
        teller: Who.
    """

    def __init__(self, teller: Teller) -> None:
        """Handle every level."""
        super().__init__()
        self._teller = teller

    def emit(self, record: logging.LogRecord) -> None:
        """Have one told; what cannot be is nobody's end."""
        try:
            self._tell(record)
        except Exception:  # noqa: BLE001 -- as every handler
            self.handleError(record)

    def _tell(self, record: logging.LogRecord) -> None:
        if record.msg == _QUARANTINED:
            version = record.__dict__.get("version", "it")
            step = record.__dict__.get("next", "push another commit")
            self._teller.say(f"{version} is not started again by itself; next: {step}")
        elif record.exc_info or record.msg not in _TOLD or record.levelno <= logging.DEBUG:
            self._teller.record(record)


def indented(text: str) -> str:
    """Lines whose first one alone begins at the left: no traceback forges another."""
    return "\n    ".join(colourless(text).splitlines())


@contextmanager
def handled(handler: logging.Handler, *, verbose: bool) -> Iterator[None]:
    """Have a handler get every logger's records for a while: warnings, or all."""
    root = logging.getLogger()
    before = root.level
    logs.spare()
    root.setLevel(logging.DEBUG if verbose else logging.WARNING)
    logging.getLogger(_ENDS).setLevel(logging.DEBUG if verbose else logging.INFO)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        logging.getLogger(_ENDS).setLevel(logging.NOTSET)
