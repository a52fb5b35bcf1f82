"""
Server-sent events over one follower.

https://html.spec.whatwg.org/multipage/server-sent-events.html

The id of every block is the cursor to go on from. It never goes back, and never passes what has
not been sent.
"""

import json
import random

from hub.api.asgi import Send
from hub.api.following import Answer, Request, Sources, is_newer, missed, news_after
from hub.api.ticking import Ticker
from hub.fanout import News
from hub.log.base import LogUnavailable
from hub.log.values import Cursor, Event, Gap

RECONNECT_MS = 500
SOONEST_MS, LATEST_MS = 100, 5_000  # when those who were sent away may come back
HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]


class Stream(Answer):
    """One open stream."""

    __slots__ = ("_cursor", "_due", "_started", "_ticker")

    def __init__(self, sources: Sources, request: Request, send: Send, ticker: Ticker) -> None:
        super().__init__(sources, request, send)
        self._cursor = request.after
        self._due = False
        self._started = False
        self._ticker = ticker

    def tick(self) -> None:
        """Send a ping: nobody in between shall take this connection for dead."""
        self._due = True
        self.wake()

    def _begin(self) -> None:
        super()._begin()
        self._ticker.join(self)

    def _end(self) -> None:
        self._ticker.leave(self)
        super()._end()

    async def _write(self) -> None:
        if not self._started:
            self._started = True
            await self._send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await self._send_block(b"retry: %d\n\n" % RECONNECT_MS)
        while self._moved and not self._follower.closed:
            try:
                await self._catch_up()
            except LogUnavailable as error:
                await self._catch_up_again(error)
        if self._follower.closed:
            await self._say_bye()
        elif isinstance(self._cursor, Cursor):  # since it has caught up
            await self._tell(self._cursor)

    async def _catch_up(self) -> None:
        newest = self._focus()
        if isinstance(self._cursor, Gap):
            await self._send_block(self._gap_block(self._cursor, newest))
        cursor = self._cursor = self._cursor if isinstance(self._cursor, Cursor) else newest
        if self._paused:
            return
        async for page in missed(self._sources.log, cursor, newest):
            if self._interrupted:
                return  # the last id stands
            await self._send_page(page, newest)
        if not self._interrupted:
            if is_newer(newest, self._cursor):
                self._cursor = newest
            await self._send_block(_id_block(self._cursor))

    async def _send_page(self, page: list[Event] | Gap, newest: Cursor) -> None:
        if isinstance(page, Gap):
            await self._send_block(self._gap_block(page, newest))
            return
        blocks = [event_block(event) for event in page if self._follower.takes(event)]
        self._cursor = page[-1].cursor
        if blocks:
            await self._send_block(b"".join(blocks))

    async def _tell(self, cursor: Cursor) -> None:
        news = news_after(cursor, self._follower.take())
        due, self._due = self._due, False
        if news:
            self._cursor = news[-1].head
            await self._send_block(b"".join(map(_block, news)))
        elif due:
            await self._ping(cursor)

    async def _ping(self, cursor: Cursor) -> None:
        self._cursor = self._moved_on(cursor)
        moved = _id_block(self._cursor) if self._cursor != cursor else b""
        await self._send_block(b": ping\n\n" + moved)

    async def _say_bye(self) -> None:
        # Spread, or all of them would meet the next hub in the same moment.
        latest = min(SOONEST_MS + self._sources.fanout.drained, LATEST_MS)
        pause = random.randint(SOONEST_MS, latest)  # noqa: S311 - jitter is no secret
        await self._send_block(b"event: bye\nretry: %d\ndata: {}\n\n" % pause)
        await self._give_up()

    async def _give_up(self) -> None:
        self._done = True
        await self._send({"type": "http.response.body", "body": b""})

    async def _send_block(self, block: bytes) -> None:
        await self._send({"type": "http.response.body", "body": block, "more_body": True})

    def _gap_block(self, gap: Gap, head: Cursor) -> bytes:
        self._cursor = head
        return gap_block(gap, head)


def _block(news: News) -> bytes:
    if not news.block:
        item = news.item
        news.block = gap_block(item, news.head) if isinstance(item, Gap) else event_block(item)
    return news.block


def event_block(event: Event) -> bytes:
    """An event, and that it is known."""
    return b"id: %s\ndata: %s\n\n" % (str(event.cursor).encode(), event.message)


def gap_block(gap: Gap, head: Cursor) -> bytes:
    """A gap, and where it ends."""
    reason = json.dumps({"reason": gap.reason}).encode()
    return b"id: %s\nevent: gap\ndata: %s\n\n" % (str(head).encode(), reason)


def _id_block(cursor: Cursor) -> bytes:
    return b"id: %s\n\n" % str(cursor).encode()
