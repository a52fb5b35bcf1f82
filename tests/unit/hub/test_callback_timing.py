"""Pauses between attempts, and what answers mean for them."""

from datetime import UTC, datetime

import pytest

from hub.callbacks.progress import Progress
from hub.callbacks.sending import _seconds
from hub.callbacks.timing import Timing
from hub.log.values import Cursor

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_pauses_double_with_jitter_up_to_an_hour() -> None:
    """One second at first; never longer than the longest."""
    timing = Timing()
    for failures, most in [(1, 1), (2, 2), (5, 16), (12, 2048), (13, 3600), (10_000, 3600)]:
        pauses = [timing.pause_seconds(failures) for _ in range(100)]
        assert most * 0.75 <= min(pauses) < max(pauses) <= most


def test_a_receiver_may_ask_for_more_patience_but_not_for_less() -> None:
    """And for no more than an hour."""
    timing = Timing()
    assert timing.pause_seconds(1, 60) == 60
    assert timing.pause_seconds(1, 10**9) == 3600
    assert timing.pause_seconds(12, 1) > 1000


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("120", 120),
        ("Fri, 01 May 2026 12:01:00 GMT", 60),
        ("Fri, 01 May 2026 12:01:00 -0000", 60),
        ("", 0),
        ("soon", 0),
        ("-5", 0),
        ("1e9", 0),
        ("Fri, 99 May 2026 12:01:00 GMT", 0),
        ("Fri, 01 May 99999999999999999999 12:01:00 GMT", 0),
        ("Fri, 01 May 2026 12:01:00 +99999999999999", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(retry_after: str, seconds: float) -> None:
    """Anything else asks for nothing."""
    assert _seconds(retry_after, NOW) == seconds


def test_progress_comes_back_as_it_was_stored() -> None:
    """With everything that the next hub needs."""
    progress = Progress(Cursor(1, 2, 3), "1-0-000000").failed("answered 500", NOW, 60)
    assert Progress.from_json(progress.as_json()) == progress
    assert progress.failed("again", NOW, 60).failing_since == NOW
    assert Progress.from_json({"cursor": "nonsense"}) is None
    assert Progress.from_json({}) is None
