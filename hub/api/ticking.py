"""One clock for all open streams: each is due once a period, and they are spread over it."""

import asyncio
import logging
from itertools import count
from typing import Protocol

logger = logging.getLogger(__name__)

SLOTS = 16


class Ticked(Protocol):
    """What wants to know that a period is over."""

    def tick(self) -> None:
        """Be told, once a period."""


class Ticker:
    """
    Tells its members once a period, a sixteenth of them at a time.

    Attributes:
        period_seconds: between two ticks of one member; the first comes earlier.
    """

    def __init__(self, period_seconds: float) -> None:
        self.period_seconds = period_seconds
        self._slots: list[set[Ticked]] = [set() for _ in range(SLOTS)]
        self._turns = count()
        self._arrivals = count()  # in turns, for those who come together must not tick together
        self._running: asyncio.TimerHandle | None = None

    def join(self, member: Ticked) -> None:
        """Tick this one from now on."""
        self._slots[next(self._arrivals) % SLOTS].add(member)
        if self._running is None:
            self._schedule()

    def leave(self, member: Ticked) -> None:
        """No longer."""
        for slot in self._slots:
            slot.discard(member)

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        self._running = loop.call_later(self.period_seconds / SLOTS, self._tick)

    def _tick(self) -> None:
        self._running = None
        if any(self._slots):
            self._schedule()
        for member in tuple(self._slots[next(self._turns) % SLOTS]):
            try:
                member.tick()
            except Exception:  # one member's trouble must not be that of the others
                logger.exception("a tick failed")
