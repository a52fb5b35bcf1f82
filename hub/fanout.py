"""
From the log to everybody who is connected now.

A `Follower` is one open stream or poll. The log's listener only notes what is new; it is offered to
the followers a little later and a slice of them at a time, so that whoever sent the push is
answered first and nobody else waits long. A follower that does not keep up loses its place and is
told of a gap; the hub does not lose its memory.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hub.log.base import Log
from hub.log.values import Cursor, Event, Gap
from hub.matching import discard
from hub.wants import Want, any_takes

logger = logging.getLogger(__name__)

QUEUE_LIMIT = 1_000  # news (about 1 KB each, shared) a follower may lag before it is told of a gap
PENDING_LIMIT = 10_000  # news the whole fan-out may lag before everybody is told of one
BATCH = 16  # news offered together, so that a burst costs each follower one write and not many
SLICE = 256  # followers offered something between two turns of the loop: 2 to 3 ms of writes

_FELL_BEHIND = Gap("this subscriber fell too far behind")
_HUB_FELL_BEHIND = Gap("this hub fell too far behind")


@dataclass(slots=True)
class News:
    """
    An event or a gap on its way to the followers.

    Attributes:
        number: counts what this process was told, whatever the cursors say.
        item: what happened.
        head: where a follower stands that knows of it.
        block: what streams are sent of it, made by the first of them and shared by all.
    """

    number: int
    item: Event | Gap
    head: Cursor
    block: bytes = b""


class Follower:
    """
    One open stream or poll: its wants, and the news that wait for it.

    Attributes:
        closed: whether it shall end.
        name: of its subscription; "" when it names none, and hears what is for one of them, too.
    """

    __slots__ = ("_news", "_on_news", "_since", "closed", "name", "wants")

    def __init__(self, on_news: Callable[[], None]) -> None:
        """
        Begin without wants, which is to say paused.

        Args:
            on_news: called whenever there is something to take, or the follower was closed.
        """
        self.wants: tuple[Want, ...] | None = None
        self.closed = False
        self.name = ""
        self._on_news = on_news
        self._news: list[News] = []
        self._since = 0

    def focus(self, wants: tuple[Want, ...] | None, since: int) -> None:
        """Want something else from now on; what waits is forgotten."""
        self.wants = wants
        self._since = since
        self._news = []

    def offer(self, batch: Sequence[News]) -> None:
        """Queue what this follower wants of some news."""
        before = len(self._news)
        for one in batch:
            if one.number > self._since and self._takes(one.item):
                self._news.append(one)
        if len(self._news) == before:
            return
        if len(self._news) > QUEUE_LIMIT:
            last = self._news[-1]
            self._news = [News(last.number, _FELL_BEHIND, last.head)]
        self._on_news()

    def _takes(self, item: Event | Gap) -> bool:
        return self.wants is not None and (isinstance(item, Gap) or self.takes(item))

    def takes(self, event: Event) -> bool:
        """Whether the event is wanted; no wants at all means everything is."""
        if self.name and event.to not in {"", self.name}:
            return False
        if not self.wants:
            return self.wants is not None
        return any_takes(self.wants, event.keys, event.ref, event.paths)

    @property
    def waiting(self) -> int:
        """How many news wait to be taken."""
        return len(self._news)

    def take(self) -> list[News]:
        """The news since the last call, oldest first."""
        news, self._news = self._news, []
        return news

    def close(self) -> None:
        """End the follower."""
        self.closed = True
        self._on_news()


class Fanout:
    """
    Every open follower, found by the repository keys it wants.

    Attributes:
        head: the newest event that every follower has been offered, with all before it.
        drained: how many followers there were when it was stopped.
    """

    def __init__(self, log: Log) -> None:
        self.drained = 0
        self._log = log
        self._head: Cursor | None = None
        self._number = 0
        self._pending: deque[News] = deque()
        self._publisher: asyncio.Task[None] | None = None
        self._by_key: defaultdict[str, set[Follower]] = defaultdict(set)
        self._all: set[Follower] = set()
        self._everything: set[Follower] = set()
        self._stopped = False
        log.listen(self._note)

    @property
    def head(self) -> Cursor:
        """The newest event that every follower has been offered, with all before it."""
        return self._log.head if self._head is None else self._head

    @property
    def settled(self) -> bool:
        """Whether every follower has been offered all there is; else some are behind the head."""
        return self._publisher is None

    @property
    def furthest_behind(self) -> int:
        """How many events wait for the follower for whom most do."""
        return max((follower.waiting for follower in self._all), default=0)

    def follow(self, on_news: Callable[[], None]) -> Follower:
        """A follower that is offered nothing until it is focused; give it back with `leave`."""
        if self._head is None:
            self._head = self._log.head
        follower = Follower(on_news)
        follower.closed = self._stopped
        self._all.add(follower)
        return follower

    def leave(self, follower: Follower) -> None:
        """Offer it nothing any more."""
        self._unindex(follower)
        self._all.discard(follower)

    def focus(self, follower: Follower, wants: tuple[Want, ...] | None) -> Cursor:
        """
        Offer a follower what it wants from now on, or with None nothing.

        Returns:
            The event behind which "now" begins: what comes up to it is in the log alone.
        """
        self._unindex(follower)
        follower.focus(wants, self._number)
        self._index(follower)
        return self._log.head

    def stop(self) -> None:
        """Close every follower, those to come included: the hub is going away."""
        self._stopped = True
        self.drained = len(self._all)
        for follower in tuple(self._all):
            _alone(follower.close)

    def _note(self, news: Sequence[Event] | Gap) -> None:
        if self._publisher is None:
            self._publisher = asyncio.get_running_loop().create_task(self._publish(), name="fanout")
        if isinstance(news, Gap):
            self._add(news, self._log.head)
            return
        for event in news:
            self._add(event, event.cursor)

    def _add(self, item: Event | Gap, head: Cursor) -> None:
        if len(self._pending) >= PENDING_LIMIT:
            self._pending.clear()
            item = _HUB_FELL_BEHIND
        self._number += 1
        self._pending.append(News(self._number, item, head))

    async def _publish(self) -> None:
        try:
            # Whoever sent the push wakes up in this turn of the loop, and is answered first.
            await asyncio.sleep(0)
            while self._pending:
                batch = [self._pending.popleft() for _ in range(min(BATCH, len(self._pending)))]
                await self._offer(batch)
                self._head = batch[-1].head
        finally:
            self._publisher = None

    async def _offer(self, batch: Sequence[News]) -> None:
        for number, follower in enumerate(self._interested(batch), 1):
            _alone(follower.offer, batch)
            if number % SLICE == 0:
                await asyncio.sleep(0)

    def _interested(self, batch: Sequence[News]) -> tuple[Follower, ...]:
        # Collected first: followers come and go while slices of them are offered something.
        if any(isinstance(one.item, Gap) for one in batch):
            return tuple(self._all)
        keys = {key for one in batch if isinstance(one.item, Event) for key in one.item.keys}
        return tuple(self._everything.union(*(self._by_key.get(key, ()) for key in keys)))

    def _index(self, follower: Follower) -> None:
        if follower.wants == ():
            self._everything.add(follower)
        for key in _keys(follower):
            self._by_key[key].add(follower)

    def _unindex(self, follower: Follower) -> None:
        self._everything.discard(follower)
        for key in _keys(follower):
            discard(self._by_key, key, follower)


def _alone(work: Callable[..., None], *arguments: Any) -> None:
    try:
        work(*arguments)
    except Exception:  # one follower's trouble must not be that of the others
        logger.exception("a follower failed")


def _keys(follower: Follower) -> set[str]:
    return {key for want in follower.wants or () for key in want.keys}
