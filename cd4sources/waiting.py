"""Those who wait for the same news, and how thousands of them are told at once."""

import asyncio
from collections.abc import Sequence

SLICE = 256
"""Woken at a time; in between, everybody else has a turn."""


class Waiters:
    """
    Who waits here: of each its time-out, which is also how it is woken.

    A time-out that is due now ends a wait as one that is due later does. So a waiter is its own
    request's task and one timer; thousands cost no task, no shared future and no event more.
    """

    def __init__(self) -> None:
        """Begin with nobody."""
        self._waiting: set[asyncio.Timeout] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, waiter: asyncio.Timeout) -> None:
        """Let somebody wait, who must be removed in the end."""
        self._waiting.add(waiter)

    def remove(self, waiter: asyncio.Timeout) -> None:
        """Forget somebody who no longer waits."""
        self._waiting.discard(waiter)

    def wake(self) -> None:
        """End the wait of all who wait now, a slice at a time."""
        self._wake(list(self._waiting))

    def _wake(self, waiters: Sequence[asyncio.Timeout]) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for one in waiters[:SLICE]:
            if one in self._waiting and not one.expired():
                one.reschedule(now)
        if rest := waiters[SLICE:]:
            loop.call_soon(self._wake, rest)
