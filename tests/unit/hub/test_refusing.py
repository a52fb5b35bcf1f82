"""Refused deliveries in the log: one line, not one each."""

import logging

import pytest

from hub.refusing import Refusals


def test_refusals_are_said_once_and_then_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """With how many there were, the reason, and no traceback."""
    now = 0.0
    refusals = Refusals(lambda: now)
    for now in (0.0, 1.0, 59.0, 60.0, 61.0):  # noqa: B007 - it is the clock
        refusals.note("main", OSError("full"))
    said = [(vars(one)["deliveries"], vars(one)["reason"]) for one in caplog.records]
    assert said == [(1, "full"), (3, "full")]
    assert all(one.levelno == logging.ERROR and not one.exc_info for one in caplog.records)
