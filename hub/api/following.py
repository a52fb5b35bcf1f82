"""
What streams and polls have in common: a place in the log, a follower, and a task only while
something has to be written.

An open response is otherwise one task that waits for its peer to go away. Both kinds begin behind
a cursor, first from the log, then live, without a seam: the follower is focused before the log is
read, what it is offered comes behind what the log is read up to, and nothing is sent twice.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from hub.api.asgi import Receive, Send
from hub.api.starting import start
from hub.fanout import Fanout, Follower, News
from hub.log.base import Log, LogUnavailable
from hub.log.values import Cursor, Event, Gap
from hub.rules import Subscription
from hub.subscriptions import Registry
from hub.wants import Want

logger = logging.getLogger(__name__)

UNREADABLE_PAUSE_SECONDS = 0.5
PAGE = 500  # events read from the log at a time
TASK = "answer a follower"


@dataclass(frozen=True, slots=True)
class Request:
    """
    What a subscriber asked for.

    Attributes:
        wants: of the subscriber itself, if it names no subscription.
        subscription_id: "" when it names none.
        after: where it begins; None to begin with what comes next.
        stream: whether it is sent server-sent events.
        timeout_seconds: how long a poll may wait.
    """

    wants: tuple[Want, ...]
    subscription_id: str
    after: Cursor | Gap | None
    stream: bool
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Sources:
    """Where answers get everything from."""

    log: Log
    fanout: Fanout
    registry: Registry


class Answer:
    """
    One open response. Subclasses say what is written in `_write`.

    `_write` runs after every wake, never twice at a time.
    """

    __slots__ = (
        "_again",
        "_busy",
        "_done",
        "_follower",
        "_moved",
        "_request",
        "_send",
        "_sources",
        "_writing",
    )

    def __init__(self, sources: Sources, request: Request, send: Send) -> None:
        self._sources = sources
        self._request = request
        self._send = send
        self._moved = True  # what it follows has changed, or was never begun
        self._again = False
        self._busy = False
        self._done = False
        self._writing: asyncio.Task[None] | None = None
        self._follower: Follower

    @property
    def subscription_id(self) -> str:
        """What it follows, "" when that is no subscription."""
        return self._request.subscription_id

    async def run(self, receive: Receive) -> None:
        """Answer until the response is complete or the peer has gone."""
        self._begin()
        try:
            self.wake()
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self._end()

    def wake(self) -> None:
        """There is something to be written."""
        self._again = True
        if self._busy:
            return
        self._busy = True
        if self._moved:
            self._writing = asyncio.get_running_loop().create_task(self._write_all(), name=TASK)
        else:
            self._writing = start(self._write_all(), name=TASK)

    def _look_again(self) -> None:
        self._moved = True
        self.wake()

    async def _write_all(self) -> None:
        try:
            while self._again and not self._done:
                self._again = False
                await self._write()
        except Exception:
            # Nothing may leave here: it would end whoever has woken this one, and with it others.
            logger.exception("answer broken off")
            self._done = True
            with suppress(Exception):
                await self._give_up()
        finally:
            self._busy = False
            self._writing = None

    def _begin(self) -> None:
        """Called once before anything is written."""
        # No context managers: each would cost an open response another half a KiB.
        self._follower = self._sources.fanout.follow(self.wake)
        if self.subscription_id:
            self._sources.registry.watch(self.subscription_id, self._look_again)

    def _end(self) -> None:
        """Called once when nothing more can be."""
        self._done = True
        self._sources.fanout.leave(self._follower)
        if self.subscription_id:
            self._sources.registry.unwatch(self.subscription_id, self._look_again)
        if self._writing is not None:
            self._writing.cancel()

    async def _catch_up_again(self, error: LogUnavailable) -> None:
        """Rest a moment and begin anew: meanwhile more may have come than a queue holds."""
        logger.warning("log not readable", extra={"reason": str(error)})
        await asyncio.sleep(UNREADABLE_PAUSE_SECONDS)
        self._moved = True

    async def _write(self) -> None:
        raise NotImplementedError

    async def _give_up(self) -> None:
        raise NotImplementedError

    def _focus(self) -> Cursor:
        """Follow what the request, or its subscription as it is now, wants; where that begins."""
        self._moved = False
        wants: tuple[Want, ...] | None = self._request.wants
        if self.subscription_id:
            wants = self._wants_of(self._sources.registry.get(self.subscription_id))
        return self._sources.fanout.focus(self._follower, wants)

    def _wants_of(self, subscription: Subscription | None) -> tuple[Want, ...] | None:
        if subscription is None:  # its follower is told so when it comes back
            self._follower.closed = True
            return None
        self._follower.name = subscription.name
        return None if subscription.paused else subscription.wants

    def _moved_on(self, cursor: Cursor) -> Cursor:
        """
        Where a subscriber stands for whom nothing waits.

        The quiet ones move on, too, or they would drop out of the log's reach. While the fan-out
        is settled nothing is on its way to them either.
        """
        fanout = self._sources.fanout
        passing = fanout.settled and not self._paused and is_newer(fanout.head, cursor)
        return fanout.head if passing else cursor

    @property
    def _paused(self) -> bool:
        return self._follower.wants is None

    @property
    def _interrupted(self) -> bool:
        return self._follower.closed or self._moved


async def missed(log: Log, after: Cursor, newest: Cursor) -> AsyncIterator[list[Event] | Gap]:
    """
    Pages of what follows `after` up to `newest`, or the gap that they end with.

    Raises:
        LogUnavailable: it cannot be told now; nothing need be lost.
    """
    while after != newest:
        page = await log.read(after, PAGE)
        if isinstance(page, Gap):
            yield page
            return
        inside = [event for event in page if not _beyond(event.cursor, newest)]
        if inside:
            yield inside
        if not page or len(inside) < len(page):
            return
        after = page[-1].cursor


def _beyond(cursor: Cursor, newest: Cursor) -> bool:
    return cursor.epoch != newest.epoch or cursor.position > newest.position


def is_newer(cursor: Cursor, than: Cursor) -> bool:
    """Whether a cursor is behind another of the same log."""
    return cursor.epoch == than.epoch and cursor.position > than.position


def news_after(cursor: Cursor, news: Sequence[News]) -> list[News]:
    """Without the events that the cursor covers: another hub may have told them already."""
    return [
        one
        for one in news
        if isinstance(one.item, Gap)
        or one.head.epoch != cursor.epoch
        or one.head.position > cursor.position
    ]
