"""Bad signatures in numbers: who is answered how, by a clock that the test turns."""

import logging

import pytest

from hub.problem import Problem
from hub.throttling import (
    BURST,
    SUMMARY_EVERY_SECONDS,
    BadSignatures,
    RefusalLines,
    TooManyBadSignatures,
)

REFUSED = Problem(401, "bad-signature", "no", "sign it")


class Clock:
    """Stands until it is turned."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """At 100 s."""
    return Clock()


@pytest.fixture
def spent(clock: Clock) -> BadSignatures:
    """A bucket of source `main` that is empty."""
    signatures = BadSignatures(clock)
    assert {signatures.answer("main", REFUSED) for _ in range(BURST)} == {REFUSED}
    return signatures


def test_after_a_burst_a_bad_signature_is_told_when_to_come_back(spent: BadSignatures) -> None:
    """429, and a second later there is one token."""
    answer = spent.answer("main", REFUSED)
    assert isinstance(answer, TooManyBadSignatures)
    assert (answer.status, answer.retry_after_seconds) == (429, 1)


def test_one_token_comes_back_each_second(spent: BadSignatures, clock: Clock) -> None:
    """No more than that, however long it was."""
    clock.now += 2.5
    assert spent.answer("main", REFUSED) is REFUSED
    assert spent.answer("main", REFUSED) is REFUSED
    assert spent.answer("main", REFUSED) is not REFUSED
    clock.now += 100_000
    assert [spent.answer("main", REFUSED) is REFUSED for _ in range(BURST + 1)].count(True) == BURST


def test_another_source_has_a_bucket_of_its_own(spent: BadSignatures) -> None:
    """One source under attack does not hide another's mistakes."""
    assert spent.answer("other", REFUSED) is REFUSED


def test_the_log_has_one_line_a_while_that_says_how_many(
    spent: BadSignatures, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The first one at once, the others a minute later."""
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            spent.answer("main", REFUSED)
        clock.now += SUMMARY_EVERY_SECONDS
        for _ in range(BURST + 1):
            spent.answer("main", REFUSED)
    assert [record.__dict__["deliveries"] for record in caplog.records] == [1, 50]


def test_refusals_of_a_kind_have_a_burst_of_lines(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Then one line that counts; another kind has its own."""
    lines = RefusalLines(clock)
    due = [lines.is_due("unknown-source") for _ in range(BURST + 5)]
    assert due == [True] * BURST + [False] * 5
    assert lines.is_due("body-too-large")
    assert [record.__dict__["deliveries"] for record in caplog.records] == [1]
