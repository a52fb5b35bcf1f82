"""Those who wait for the same news, and how thousands of them are told at once."""

import asyncio
from collections.abc import Sequence

SLICE = 256
"""Woken at a time; in between, everybody else has a turn."""


class Waiter:
    """
    The current task's wait, which ends in time, or when there is news.

    As with `asyncio.timeout` whoever waits is interrupted; here at once, without a callback in
    between, and without a second exception made of the first: a tenth of what an answer costs.
    """

    __slots__ = ("_task", "_timer", "is_over")

    def __init__(self, seconds: float) -> None:
        """Begin to wait for so long."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 -- only coroutines wait
        self._task = task
        self._timer = loop.call_later(seconds, self.end)
        self.is_over = False

    def end(self) -> None:
        """Interrupt who waits: CancelledError is raised there, to be given to `is_ours`."""
        if not self.is_over:
            self.is_over = True
            self._task.cancel()

    def is_ours(self) -> bool:
        """Tell whether an interruption meant this wait alone, and not the whole task."""
        return self.is_over and self._task.uncancel() == 0

    def close(self) -> None:
        """Stop the clock."""
        self.is_over = True
        self._timer.cancel()


class Waiters:
    """Who waits for the same."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._waiting: set[Waiter] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, waiter: Waiter) -> None:
        """Let somebody wait, who must be removed in the end."""
        self._waiting.add(waiter)

    def remove(self, waiter: Waiter) -> None:
        """Forget somebody who no longer waits."""
        self._waiting.discard(waiter)

    def wake(self) -> None:
        """End the wait of all who wait now, a slice at a time."""
        self._wake(list(self._waiting))

    def _wake(self, waiters: Sequence[Waiter]) -> None:
        for one in waiters[:SLICE]:
            one.end()
        if rest := waiters[SLICE:]:
            asyncio.get_running_loop().call_soon(self._wake, rest)
