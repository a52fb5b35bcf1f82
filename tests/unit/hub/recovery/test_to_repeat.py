"""Which attempts of a forge are worth repeating."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.forges.values import Attempt
from hub.recovery.redelivering import to_repeat

START = datetime(2026, 1, 1, tzinfo=UTC)


def _attempt(number: int, guid: str, status: int, event: str = "push") -> Attempt:
    return Attempt(number, guid, event, START + timedelta(seconds=number), status)


def test_each_delivery_is_repeated_once_the_oldest_first() -> None:
    tried = [_attempt(3, "b", 502), _attempt(1, "a", 0), _attempt(2, "b", 0)]
    assert [(one.guid, one.id) for one in to_repeat(tried)] == [("a", 1), ("b", 3)]


def test_one_that_arrived_by_another_attempt_is_left_alone() -> None:
    assert to_repeat([_attempt(1, "a", 502), _attempt(2, "a", 202), _attempt(3, "a", 504)]) == []


def test_it_is_not_tried_for_ever() -> None:
    assert to_repeat([_attempt(number, "a", 502) for number in range(3)]) == []


@pytest.mark.parametrize("status", [400, 401, 403, 413, 415])
def test_what_was_refused_here_would_be_refused_again(status: int) -> None:
    assert to_repeat([_attempt(1, "a", status)]) == []


@pytest.mark.parametrize("status", [0, 404, 408, 429, 500, 502, 503, 504])
def test_what_nobody_refused_on_purpose_is_repeated(status: int) -> None:
    assert [one.id for one in to_repeat([_attempt(1, "a", status)])] == [1]


def test_what_no_subscriber_needs_is_not_repeated() -> None:
    assert to_repeat([_attempt(1, "a", 502, "ping"), _attempt(2, "b", 502, "star")]) == []
