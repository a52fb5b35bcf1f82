"""Those who wait for the same news, and how thousands of them are told at once."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

SLICE = 256
"""Woken at a time; in between, everybody else has a turn."""


AT_ONCE = "directcd.at_once"
"""The ASGI extension of a server that can answer whoever waits in `receive`; an `AtOnce`."""

Headers = Iterable[tuple[bytes, bytes]]
AtOnce = Callable[[Callable[..., Any], int, Headers, bytes], bool]
"""
Sends a whole answer: the application's `send`, status, headers, body.

True: it was sent, and `receive` tells `http.disconnect`. False: it is as if nobody had asked.
"""

Answered = Callable[[], bool]
"""Answers who waits, and tells whether that was possible."""


class Waiter:
    """
    The current task's wait, which ends in time, or when there is news.

    Who can be answered by a callback is, and not even interrupted. Others are as by
    `asyncio.timeout`; here at once, without a callback in between, and without a second exception
    made of the first: a tenth of what an answer costs.
    """

    __slots__ = ("_answered", "_task", "_timer", "is_over")

    def __init__(self, seconds: float, answered: Answered) -> None:
        """
        Begin to wait.

        Args:
            seconds: For how long.
            answered: Called at the wait's end.
        """
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 -- only coroutines wait
        self._task = task
        self._answered = answered
        self._timer = loop.call_later(seconds, self.end)
        self.is_over = False

    def end(self) -> None:
        """Answer who waits, or interrupt: CancelledError is raised there, see `is_ours`."""
        if not self.is_over:
            self.is_over = True
            if not self._answered():
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
