"""
`GET /v1/events`, as raw ASGI: server-sent events or a long poll over the same follower.

https://html.spec.whatwg.org/multipage/server-sent-events.html

Both start behind `after` (or `Last-Event-ID`), first from the log, then live, without a seam:
the follower is opened before the log is read, and what both deliver is sent once.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qs

from hub.api.asgi import Receive, Scope, Send, header_map, respond, respond_problem
from hub.fanout import Fanout, Follower
from hub.log.base import Cursor, Event, Gap, Log, LogUnavailable
from hub.problem import Problem
from hub.subscriptions import Registry, Want, make_want

logger = logging.getLogger(__name__)

PATH = "/v1/events"
PAGE = 500  # events read from the log at a time
PING_SECONDS = 15.0  # below the idle limit of common proxies (30-60 s)
LONG_POLL_SECONDS = 50.0
QUERY_FIELDS = 2_000  # repositories in a URL; more belong in a subscription
LONG_POLL_LIMIT_SECONDS = 300.0
RECONNECT_MS = 500
PARAMETERS = frozenset({"repository", "ref", "subscription", "after", "timeout"})
_FELL_BEHIND = Gap("this subscriber fell too far behind")


@dataclass(frozen=True, slots=True)
class Request:
    """What a subscriber asked for; `after` is None to start with what comes next."""

    wants: tuple[Want, ...]
    after: Cursor | Gap | None
    stream: bool
    timeout_seconds: float


class EventsEndpoint:
    """Answers one subscriber for as long as it stays."""

    def __init__(
        self, log: Log, fanout: Fanout, registry: Registry, *, ping_seconds: float = PING_SECONDS
    ) -> None:
        self._log = log
        self._fanout = fanout
        self._registry = registry
        self._ping_seconds = ping_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            request = self._parse(scope)
        except Problem as error:
            await respond_problem(send, error)
            return
        with self._fanout.follow(request.wants) as follower:
            async with asyncio.TaskGroup() as tasks:
                watcher = tasks.create_task(_close_when_gone(receive, follower), name="watch peer")
                try:
                    await (self._stream if request.stream else self._poll)(request, follower, send)
                finally:
                    watcher.cancel()

    def _parse(self, scope: Scope) -> Request:
        if scope["method"] != "GET":
            raise Problem(405, "method-not-allowed", "events are read with GET", "use GET")
        headers = header_map(scope)
        query = _query(scope)
        after = headers.get("last-event-id") or query.get("after", [""])[0]
        return Request(
            wants=self._wants(query),
            after=_cursor(after),
            stream="text/event-stream" in headers.get("accept", ""),
            timeout_seconds=_timeout(query),
        )

    def _wants(self, query: dict[str, list[str]]) -> tuple[Want, ...]:
        if "subscription" in query:
            subscription = self._registry.get(query["subscription"][0])
            if subscription is None:
                raise Problem(
                    404, "unknown-subscription", "no such subscription", "subscribe again"
                )
            return subscription.wants
        ref = query.get("ref", [""])[0]
        try:
            return tuple(make_want(url, ref) for url in query.get("repository", []))
        except ValueError as error:
            raise Problem(400, "invalid-repository", str(error), "correct the URL") from error

    # --- server-sent events ---------------------------------------------------------------------

    async def _stream(self, request: Request, follower: Follower, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),  # nginx would hold events back
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for block in self._blocks(request.after, follower):
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _blocks(self, after: Cursor | Gap | None, follower: Follower) -> AsyncIterator[bytes]:
        cursor = self._fanout.head
        yield b"retry: %d\n\n" % RECONNECT_MS
        async for item in self._catch_up(after, cursor, follower):
            yield _gap_block(item) if isinstance(item, Gap) else _event_block(item)
        if not follower.closed:  # else the catch-up may be cut short: its last id stands
            yield _cursor_block(cursor)
        while not follower.closed:
            events = await follower.wait(self._ping_seconds)
            overflowed, follower.overflowed = follower.overflowed, False
            blocks = [_gap_block(_FELL_BEHIND)] if overflowed else []
            blocks += [_event_block(e) for e in events if e.cursor.position > cursor.position]
            # Quiet subscribers move on too, or they would drop out of the log's reach. Nothing is
            # pending up to the head: it was read without an await since the queue was emptied.
            cursor = self._fanout.head
            yield b"".join([*(blocks or [b": ping\n\n"]), _cursor_block(cursor)])
        yield b"event: bye\nretry: %d\ndata: {}\n\n" % RECONNECT_MS

    async def _catch_up(
        self, after: Cursor | Gap | None, newest: Cursor, follower: Follower
    ) -> AsyncIterator[Event | Gap]:
        # Up to `newest` only: what comes later is in the follower's queue already.
        if isinstance(after, Gap):
            yield after
        while isinstance(after, Cursor) and not follower.closed:
            page = await self._page(after)
            if isinstance(page, Gap):
                yield page
                return
            for event in page:
                if event.cursor.position <= newest.position and follower.takes(event):
                    yield event
            more = bool(page) and page[-1].cursor.position < newest.position
            after = page[-1].cursor if more else None

    async def _page(self, after: Cursor) -> list[Event] | Gap:
        try:
            return await self._log.read(after, PAGE)
        except LogUnavailable:
            logger.exception("log not readable")
            return Gap("the log could not be read")

    # --- long poll ------------------------------------------------------------------------------

    async def _poll(self, request: Request, follower: Follower, send: Send) -> None:
        cursor = self._fanout.head
        events: list[Event] = []
        async for item in self._catch_up(request.after, cursor, follower):
            if isinstance(item, Gap):
                await _respond_poll(send, cursor, events, item)
                return
            events.append(item)
            if len(events) == PAGE:  # the rest is for the next poll
                cursor = item.cursor
                break
        if follower.closed and isinstance(request.after, Cursor):
            cursor = events[-1].cursor if events else request.after
        elif not events and request.after is not None:
            events = await follower.wait(request.timeout_seconds)
            cursor = self._fanout.head
        await _respond_poll(send, cursor, events, _FELL_BEHIND if follower.overflowed else None)


async def _close_when_gone(receive: Receive, follower: Follower) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    follower.close()


async def _respond_poll(send: Send, cursor: Cursor, events: list[Event], gap: Gap | None) -> None:
    headers = {"x-directcd-cursor": str(cursor), "cache-control": "no-store"}
    if not events and gap is None:
        await respond(send, 204, b"", "application/json", headers)
        return
    messages = b",".join(event.message for event in events)
    reason = json.dumps(gap.reason if gap else None).encode()
    body = b'{"cursor":"%s","gap":%s,"events":[%s]}' % (str(cursor).encode(), reason, messages)
    await respond(send, 200, body, "application/json", headers)


def _query(scope: Scope) -> dict[str, list[str]]:
    try:
        query = parse_qs(
            scope["query_string"].decode("latin-1"),
            keep_blank_values=True,
            max_num_fields=QUERY_FIELDS,
        )
    except ValueError as error:
        raise Problem(
            400,
            "too-many-parameters",
            f"more than {QUERY_FIELDS} parameters",
            "subscribe (POST /v1/subscriptions) and follow subscription=ID",
        ) from error
    _refuse_half_filters(query)
    return query


def _refuse_half_filters(query: dict[str, list[str]]) -> None:
    # A mistyped or empty filter would otherwise mean "everything".
    unknown = sorted(query.keys() - PARAMETERS)
    if unknown:
        known = ", ".join(sorted(PARAMETERS))
        raise Problem(400, "unknown-parameter", f"unknown: {unknown[0][:50]}", f"known: {known}")
    if "ref" in query and "repository" not in query:
        raise Problem(400, "ref-alone", "a ref belongs to a repository", "add repository=URL")


def _cursor(text: str) -> Cursor | Gap | None:
    if not text:
        return None
    return Cursor.parse(text) or Gap("no log ever wrote this cursor")


def _timeout(query: dict[str, list[str]]) -> float:
    try:
        asked = float(query.get("timeout", [str(LONG_POLL_SECONDS)])[0])
    except ValueError as error:
        raise Problem(
            400, "invalid-timeout", "timeout is a number of seconds", "e.g. timeout=50"
        ) from error
    # min/max would let NaN through
    return min(asked, LONG_POLL_LIMIT_SECONDS) if asked > 0 else 0.0


def _event_block(event: Event) -> bytes:
    return b"id: %s\ndata: %s\n\n" % (str(event.cursor).encode(), event.message)


def _cursor_block(cursor: Cursor) -> bytes:
    return b"id: %s\n\n" % str(cursor).encode()


def _gap_block(gap: Gap) -> bytes:
    return b"event: gap\ndata: %s\n\n" % json.dumps({"reason": gap.reason}).encode()
