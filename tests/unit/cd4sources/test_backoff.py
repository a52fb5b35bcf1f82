"""Pauses grow within their bounds; an outage is told once."""

import logging

import pytest

from cd4sources.backoff import Backoff, Outage


def test_pauses_stay_within_their_bounds_and_grow() -> None:
    """Each pause lies between the half and the whole of a doubling ceiling."""
    backoff = Backoff(0.2, 5.0)
    for ceiling in (0.4, 0.8, 1.6, 3.2, 5.0, 5.0):
        assert max(0.2, ceiling / 2) <= backoff.pause_seconds() <= ceiling


def test_reset_begins_with_short_pauses_again() -> None:
    """After a success the first pauses are short."""
    backoff = Backoff(0.2, 5.0)
    for _ in range(10):
        backoff.pause_seconds()
    backoff.reset()
    assert backoff.pause_seconds() <= 0.4


def test_pauses_differ() -> None:
    """Two waiters do not stay in step."""
    assert len({Backoff(0.2, 5.0).pause_seconds() for _ in range(20)}) > 1


def test_an_outage_warns_once_per_reason(caplog: pytest.LogCaptureFixture) -> None:
    """The same reason again is for debugging only; the end is told."""
    outage = Outage("hub", Backoff(0.2, 5.0))
    with caplog.at_level(logging.INFO):
        for reason in (
            "refused",
            "refused",
            "ended after 0.01 s (pid 7, a)",
            "ended after 0.02 s (pid 8, b)",
        ):
            outage.failed(reason)
        outage.over()
        outage.over()
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO"]
