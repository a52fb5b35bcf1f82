"""Log lines for people: time, level, event, then `key=value`; always on stderr."""

import json
import logging
import re
import sys
from datetime import UTC, datetime

# What every LogRecord has; everything else on it was given as `extra`.
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

_is_plain = re.compile(r"[!#-<>-~]*").fullmatch  # ASCII that is seen, without `"` and `=`


class KeyValueFormatter(logging.Formatter):
    """One line a record; values that need it are quoted as JSON, so no value can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text, with its traceback when it has one."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        keys = [
            f"{key}={_quoted(value)}"
            for key, value in record.__dict__.items()
            if key not in _STANDARD and value not in ("", None)
        ]
        line = " ".join([time, f"{record.levelname.lower():7}", record.getMessage(), *keys])
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _quoted(value: object) -> str:
    text = str(value)
    return text if _is_plain(text) else json.dumps(text)


def set_up(*, verbose: bool = False) -> None:
    """Send every logger's records to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(KeyValueFormatter())
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
