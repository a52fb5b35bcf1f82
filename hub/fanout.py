"""
From the log to everybody who is connected now.

A `Follower` is one open stream or poll. The log's listener offers it each event it wants; it never
makes the publisher wait, and a follower that does not keep up loses its place (`overflowed`) and
not the hub's memory.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hub.log.base import Cursor, Event, Log
from hub.subscriptions import Want

QUEUE_LIMIT = 1_000  # events (about 1 KB each) a follower may lag before it is told of a gap


class Follower:
    """One open stream or poll: its wants, and the events that wait for it."""

    def __init__(self, wants: tuple[Want, ...]) -> None:
        self.wants = wants
        self.overflowed = False
        self.closed = False
        self._events: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def offer(self, event: Event) -> None:
        """Queue an event for this follower if it wants it."""
        if not self.takes(event):
            return
        if len(self._events) >= QUEUE_LIMIT:
            self._events.clear()
            self.overflowed = True
        if not self.overflowed:
            self._events.append(event)
        self._wake()

    def takes(self, event: Event) -> bool:
        """Whether the event is wanted; no wants at all means everything is."""
        return not self.wants or any(want.takes(event.keys, event.ref) for want in self.wants)

    def close(self) -> None:
        """End the follower: its reader returns at once."""
        self.closed = True
        self._wake()

    async def wait(self, timeout_seconds: float) -> list[Event]:
        """The events since the last call, or none when the time is over or the follower closed."""
        if not (self._events or self.closed or self.overflowed):
            await self._sleep(timeout_seconds)
        events = list(self._events)
        self._events.clear()
        return events

    async def _sleep(self, timeout_seconds: float) -> None:
        # A future of its own for each sleep: cheaper than a shared condition, and nobody else can
        # be cancelled along with it.
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._waiter
        except TimeoutError:
            return
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Fanout:
    """Every open follower, found by the repository keys it wants."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._by_key: defaultdict[str, set[Follower]] = defaultdict(set)
        self._all: set[Follower] = set()
        self._everything: set[Follower] = set()
        self._stopped = False
        log.listen(self._publish)

    @property
    def head(self) -> Cursor:
        """The newest event that every follower has been offered."""
        return self._log.head

    @contextmanager
    def follow(self, wants: tuple[Want, ...]) -> Iterator[Follower]:
        """A follower that is offered every event from now on, until the block is left."""
        follower = Follower(wants)
        if self._stopped:
            follower.close()
        self._add(follower)
        try:
            yield follower
        finally:
            self._remove(follower)

    def stop(self) -> None:
        """Close every follower, those to come included: the hub is going away."""
        self._stopped = True
        for follower in self._all:
            follower.close()

    def _publish(self, events: Sequence[Event]) -> None:
        for event in events:
            interested = set(self._everything)
            for key in event.keys:
                interested |= self._by_key.get(key, set())
            for follower in interested:
                follower.offer(event)

    def _add(self, follower: Follower) -> None:
        self._all.add(follower)
        if not follower.wants:
            self._everything.add(follower)
        for key in _keys(follower):
            self._by_key[key].add(follower)

    def _remove(self, follower: Follower) -> None:
        self._all.discard(follower)
        self._everything.discard(follower)
        for key in _keys(follower):
            self._by_key[key].discard(follower)
            if not self._by_key[key]:
                del self._by_key[key]


def _keys(follower: Follower) -> set[str]:
    return {key for want in follower.wants for key in want.keys}
