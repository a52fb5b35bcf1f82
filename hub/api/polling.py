"""A long poll over one follower: one answer, as soon as there is something to say."""

import asyncio
import json

from hub.api import following
from hub.api.asgi import Send, respond, respond_empty, respond_problem
from hub.api.following import Answer, Request, Sources, is_newer, missed, news_after
from hub.log.base import LogUnavailable
from hub.log.values import Cursor, Event, Gap
from hub.problem import mistake


class Poll(Answer):
    """One poll that waits."""

    __slots__ = ("_behind", "_cursor", "_events", "_gap", "_late", "_over", "_timer")

    def __init__(self, sources: Sources, request: Request, send: Send) -> None:
        super().__init__(sources, request, send)
        self._cursor = request.after
        self._behind = False  # what it missed has not all been read
        self._events: list[Event] = []
        self._gap: Gap | None = None
        self._over = request.after is None  # who has no cursor wants one, and nothing else
        self._late = False
        self._timer: asyncio.TimerHandle | None = None

    def _begin(self) -> None:
        super()._begin()
        later = asyncio.get_running_loop().call_later
        self._timer = later(self._request.timeout_seconds, self._finish)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super()._end()

    def _finish(self) -> None:
        self._late = self._over = True
        self.wake()

    async def _write(self) -> None:
        while self._moved and not self._follower.closed:
            try:
                await self._catch_up()
            except LogUnavailable as error:
                if self._late:
                    break
                await self._catch_up_again(error)
        if not (self._events or self._gap or self._behind):
            self._take()
        if self._over or self._follower.closed:
            self._done = True
            await self._respond()

    async def _catch_up(self) -> None:
        newest = self._focus()
        if not isinstance(self._cursor, Cursor):
            self._found([], self._cursor, newest)
        elif not self._paused:
            await self._read(self._cursor, newest)

    async def _read(self, after: Cursor, newest: Cursor) -> None:
        self._behind = True
        async for page in missed(self._sources.log, after, newest):
            if self._interrupted:
                return  # the rest is for the next poll
            if isinstance(page, Gap):
                self._found([], page, newest)
                return
            wanted = [event for event in page if self._follower.takes(event)]
            self._found(wanted, None, page[-1].cursor)
            if len(self._events) >= following.PAGE:
                return
        self._behind = self._interrupted
        if not self._behind and isinstance(self._cursor, Cursor):
            self._cursor = newest if is_newer(newest, self._cursor) else self._cursor

    def _take(self) -> None:
        if not isinstance(self._cursor, Cursor):  # it was closed before it began
            self._cursor = self._sources.fanout.head
        for one in news_after(self._cursor, self._follower.take()):
            if isinstance(one.item, Gap):
                self._found([], one.item, one.head)
            else:
                self._found([one.item], None, one.head)
        if not (self._events or self._gap):
            self._cursor = self._moved_on(self._cursor)

    def _found(self, events: list[Event], gap: Gap | None, cursor: Cursor) -> None:
        self._events += events
        self._gap = gap or self._gap
        self._cursor = cursor
        self._over = self._over or bool(events) or gap is not None

    async def _respond(self) -> None:
        headers = {"x-directcd-cursor": str(self._cursor), "cache-control": "no-store"}
        if not self._events and self._gap is None:
            await respond_empty(self._send, headers)
            return
        messages = b",".join(event.message for event in self._events)
        reason = json.dumps(self._gap.reason if self._gap else None).encode()
        cursor = str(self._cursor).encode()
        body = b'{"cursor":"%s","gap":%s,"events":[%s]}' % (cursor, reason, messages)
        await respond(self._send, 200, body, "application/json", headers)

    async def _give_up(self) -> None:
        if not self._done:
            self._done = True
            await respond_problem(self._send, mistake())
