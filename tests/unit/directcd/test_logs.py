"""Log lines: readable, complete, and not to be forged."""

import logging

from directcd.logs import KeyValueFormatter


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
