"""
Log lines, always on stderr: for people time, level, event, then `key=value`; for machines JSON.

Whatever is in a value, an event or a traceback, it makes no other line and moves no cursor.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

# What every LogRecord has; everything else on it was given as `extra`.
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

Format = Literal["text", "json"]

_UNSEEN = re.compile(r"[^ -~]")  # what is not ASCII, or a terminal obeys
_is_plain = re.compile(r"[!#-<>-~]*").fullmatch  # ASCII that is seen, without `"` and `=`


class KeyValueFormatter(logging.Formatter):
    """One line a record; values that need it are quoted as JSON, so no value can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text, with its traceback when it has one."""
        keys = [f"{key}={_quoted(value)}" for key, value in _keys(record)]
        event = _seen(record.getMessage())
        line = " ".join([_time(record), f"{record.levelname.lower():7}", event, *keys])
        if record.exc_info:
            # Indented: what an exception says may look like a line of ours.
            for one in self.formatException(record.exc_info).split("\n"):
                line += f"\n    {_seen(one)}"
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object a record, in ASCII, with the keys that text has."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON, with its traceback when it has one."""
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in _keys(record) if key not in line}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


_FORMATTERS = {"text": KeyValueFormatter, "json": JsonFormatter}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _keys(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    for key, value in record.__dict__.items():
        if key not in _STANDARD and value not in ("", None):
            yield key, value


def _seen(text: str) -> str:
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _quoted(value: object) -> str:
    text = str(value)
    return text if _is_plain(text) else json.dumps(text)


def set_up(*, verbose: bool = False, log_format: Format = "text") -> None:
    """Send every logger's records to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_FORMATTERS[log_format]())
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])
    spare()


def spare() -> None:
    """Have no record say what nobody reads, or what must not be said."""
    # Nothing below says where in the code or by which thread a line was logged, and finding that
    # out is half of a line's cost: https://docs.python.org/3/howto/logging.html#optimization
    logging._srcfile = None  # noqa: SLF001 - the documented way
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # httpx logs whole URLs at INFO, passwords included; uvicorn says what we say ourselves.
    for name in ("httpx", "httpcore", "uvicorn", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
