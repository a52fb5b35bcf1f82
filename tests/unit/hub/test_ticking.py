"""One clock for many streams."""

import asyncio

import pytest

from hub.api.ticking import SLOTS, Ticker
from tests.support.waiting import DEADLINE_SECONDS


class Member:
    """Counts its ticks."""

    def __init__(self) -> None:
        """Begin with none."""
        self.ticks = 0

    def tick(self) -> None:
        """One more."""
        self.ticks += 1


async def test_members_tick_once_a_period_and_not_together() -> None:
    """Those who come together are spread over it."""
    ticker = Ticker(0.32)
    members = [Member() for _ in range(SLOTS)]
    for member in members:
        ticker.join(member)
    spread: list[int] = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (told := sum(member.ticks for member in members)) < SLOTS:
            spread.append(told)
            await asyncio.sleep(0.005)
    assert {member.ticks for member in members} == {1}
    assert len(set(spread)) > 3


async def test_who_fails_does_not_stop_the_clock(caplog: pytest.LogCaptureFixture) -> None:
    """The others are told, again and again."""

    class Failing(Member):
        def tick(self) -> None:
            raise RuntimeError

    ticker = Ticker(0.02)
    here = Member()
    for member in [Failing() for _ in range(SLOTS)] + [here] * SLOTS:
        ticker.join(member)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while here.ticks < 3 * SLOTS:
            await asyncio.sleep(0.005)
    assert "a tick failed" in caplog.text
    for slot in ticker._slots:
        slot.clear()


async def test_who_has_left_is_not_told() -> None:
    """And a clock without members stands still until one comes."""
    ticker = Ticker(0.02)
    gone, here = Member(), Member()
    ticker.join(gone)
    ticker.leave(gone)
    await asyncio.sleep(0.05)
    assert ticker._running is None
    ticker.join(here)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while here.ticks < 2:
            await asyncio.sleep(0.005)
    assert gone.ticks == 0
