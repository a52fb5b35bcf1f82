"""How long an API is left alone, by what it said."""

import pytest

from hub.forges.errors import RateLimited
from hub.forges.rates import Budget


class _Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_clock_that_is_set_back_does_not_leave_a_forge_alone_for_a_day() -> None:
    clock = _Clock()
    budget = Budget(clock)
    clock.now += 86_400
    budget.take_note(429, {"retry-after": "60"})
    with pytest.raises(RateLimited):
        budget.check("git.test")
    clock.now -= 86_400
    budget.check("git.test")


@pytest.mark.parametrize(
    "retry_after", ["", "soon", "-1", "1e9", "Wed, 99 Nov 2026", "٣", "9" * 400, "0"]
)
def test_any_wait_at_all_ends_within_the_hour(retry_after: str) -> None:
    clock = _Clock()
    budget = Budget(clock)
    budget.take_note(429, {"retry-after": retry_after})
    clock.now += 3_601
    budget.check("git.test")


def test_a_tenth_of_the_allowance_is_left_to_others() -> None:
    clock = _Clock()
    budget = Budget(clock)
    told = {"x-ratelimit-limit": "5000", "x-ratelimit-reset": str(int(clock.now) + 60)}
    budget.take_note(200, told | {"x-ratelimit-remaining": "501"})
    budget.check("git.test")
    budget.take_note(200, told | {"x-ratelimit-remaining": "500"})
    with pytest.raises(RateLimited):
        budget.check("git.test")
    clock.now += 61
    budget.check("git.test")
