"""Log lines: readable, complete, and not to be forged."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from cd4sources.running.last_words import last_line
from directcd.logs import JsonFormatter, KeyValueFormatter

HOSTILE = "x\n2026 error forged \x1b[31m \u202e \x85 \u2028"


def line(**extra: object) -> str:
    """A formatted record with these keys."""
    record = logging.makeLogRecord({"msg": "delivery", "levelname": "INFO", **extra})
    return KeyValueFormatter().format(record)


def test_keys_follow_the_event_and_empty_ones_are_left_out() -> None:
    """An event is a fixed sentence; what varies is a key."""
    assert line(verdict="matched", ref="").endswith("info    delivery verdict=matched")


def test_a_value_cannot_start_a_line_or_another_key() -> None:
    """A hostile ref name stays inside its quotes."""
    text = line(ref='x\n2026 error forged="1"')
    assert "\n" not in text
    assert r'ref="x\n2026 error forged=\"1\""' in text


def test_terminal_escapes_and_bidi_marks_are_shown_as_text() -> None:
    """Nothing that a terminal would obey."""
    assert r"\u001b[31m" in line(ref="\x1b[31m")
    assert r"\u202e" in line(ref="a\u202eb")


def failed(message: str) -> logging.LogRecord:
    """A record of an exception."""
    error = ValueError(message)
    return logging.makeLogRecord({"msg": message, "exc_info": (ValueError, error, None)})


def in_json(record: logging.LogRecord) -> dict[str, Any]:
    """What a machine reads of a record, which is one line."""
    text = JsonFormatter().format(record)
    assert (len(text.splitlines()), text.isascii()) == (1, True)
    found: dict[str, Any] = json.loads(text)
    return found


def test_machines_read_the_same_keys() -> None:
    """Numbers stay numbers, and what is empty is left out."""
    values = {"msg": "delivery", "levelname": "INFO", "delivery": 7, "ms": 1.5, "ref": ""}
    found = in_json(logging.makeLogRecord(values))
    assert (found["message"], found["level"]) == ("delivery", "info")
    assert (found["delivery"], found["ms"], "ref" in found) == (7, 1.5, False)


def test_no_key_takes_the_place_of_ours() -> None:
    """Nor does what JSON cannot hold break a line."""
    found = in_json(logging.makeLogRecord({"msg": "x", "level": "forged", "kept": {"a"}}))
    assert (found["level"] != "forged", found["kept"]) == (True, "{'a'}")


@pytest.mark.parametrize("formatter", [KeyValueFormatter(), JsonFormatter()], ids=["text", "json"])
def test_what_an_exception_says_forges_no_line(formatter: logging.Formatter) -> None:
    """Only whole lines of ours begin at the margin, and all of it is plain text."""
    text = formatter.format(failed(HOSTILE))
    assert text.replace("\n", "").isprintable()
    assert text.isascii()
    assert not [line for line in text.splitlines()[1:] if not line.startswith("    ")]


def test_a_machine_gets_what_was_said() -> None:
    """Escaped, not lost."""
    assert in_json(failed(HOSTILE))["message"] == HOSTILE


@pytest.mark.parametrize("formatter", [KeyValueFormatter(), JsonFormatter()])
def test_our_own_lines_are_not_a_programs_last_words(
    tmp_path: Path, formatter: logging.Formatter
) -> None:
    """Both go to the same standard error."""
    ours = formatter.format(logging.makeLogRecord({"msg": "program started", "levelname": "INFO"}))
    with (tmp_path / "log").open("w") as file:
        file.write(f"cannot bind\n{ours}\n")
        file.flush()
        assert last_line(file.fileno(), 0) == "cannot bind"
