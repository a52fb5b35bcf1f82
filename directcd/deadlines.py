"""
Limits for receiving: a sender that drips, is silent or floods does not keep its connection.

Only receiving has them. What is sent (streams, polls, downloads) may take as long as it takes.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from directcd.at_once import EXTENSIONS
from hub.api.asgi import Receive, Scope, Send, respond_problem
from hub.problem import MEDIA_TYPE, Problem

logger = logging.getLogger(__name__)

HEADERS_SECONDS = 10.0  # from the connection, or from a later request's first byte
BODY_SECONDS = 15.0  # from the headers; GitHub itself gives up after 10, Gitea after 5
HEAD_BYTES = 64 * 1024  # of request line and headers, and of whatever else is no body
WAITING_REQUESTS = 8  # on a connection, while the first one is answered
LOOK_EVERY_SECONDS = 1.0
STALLED_SECONDS = 1.0  # without a byte taken: whoever still does not read then is left when we stop
LINGER_SECONDS = 1.0  # for what still arrives after a refusal, lest a reset destroys the answer
RETRY_AFTER_SECONDS = 2  # a process that is restarted is back by then

_TOO_SLOW = Problem(
    408,
    "request-too-slow",
    f"the headers did not arrive within {HEADERS_SECONDS:g} s, "
    f"or the body not within {BODY_SECONDS:g} s after them",
    "send it again; if it happens again, look at the network between sender and here",
)
_TOO_LARGE = Problem(
    431,
    "headers-too-large",
    f"request line and headers, or what follows the body, are over {HEAD_BYTES} bytes",
    "send fewer or shorter headers; what is in the URL can be sent by POST, as the body",
)
_MALFORMED = Problem(
    400,
    "malformed-request",
    "what arrived is not HTTP/1.1",
    "send plain HTTP/1.1: TLS and HTTP/2 end at the proxy in front of this port",
)
_TOO_MANY = Problem(
    400,
    "too-many-waiting-requests",
    f"more than {WAITING_REQUESTS} requests were sent on this connection without waiting",
    "wait for the answers before sending more, or use several connections",
)
_STOPPING = Problem(
    503,
    "stopping",
    "this process is about to end, and the request was not complete",
    "send it again",
)


class _Pipeline(list[Any]):
    """As much of a deque as uvicorn uses, for the few requests that wait behind another."""

    __slots__ = ()

    def appendleft(self, waiting: Any) -> None:
        """Put the newest first."""
        self.insert(0, waiting)


class _Flow(FlowControl):
    """uvicorn's, with an event only for who once did not read what was sent to it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.read_paused = False
        self.write_paused = False

    @cached_property
    def _is_writable_event(self) -> asyncio.Event:  # type: ignore[override]
        return asyncio.Event()


class PunctualProtocol(HttpToolsProtocol):
    """
    uvicorn's HTTP, knowing until when what it waits for must have arrived.

    A timer for each request would cost more than the request's headers. A date costs nothing, and
    `hang_up_on_late` looks at all of them once a second.
    """

    # Beyond 30 attributes an instance's own dictionary costs four times as much
    # (https://github.com/python/cpython/blob/3.11/Objects/dictobject.c, SHARED_KEYS_MAX_SIZE), and
    # uvicorn has 27.
    __slots__ = (
        "answering",
        "has_begun",
        "head_bytes",
        "is_refused",
        "late_at",
        "refusal",
        "waits_for",
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.pipeline = _Pipeline()  # type: ignore[assignment] # a deque is 760 bytes, also empty
        self.late_at: float | None = None
        self.waits_for = "headers"
        self.has_begun = False
        self.head_bytes = 0  # arrived since headers, a piece of a body or a request were complete
        self.is_refused = False
        self.refusal = b""
        self.answering: Any = None  # the request being answered; the newest, `cycle`, may wait

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect headers."""
        super().connection_made(transport)
        self.flow = _Flow(transport)
        self._expect("headers", HEADERS_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that is being answered, which uvicorn does only if it is the newest."""
        _disconnect(self.answering)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Expect headers from the first byte of a request, even if that is an empty line."""
        if self.is_refused:
            return
        if self.late_at is None and self._is_idle():
            self._expect("headers", HEADERS_SECONDS)
        self.has_begun = True
        self._unset_keepalive_if_required()
        self.head_bytes += len(data)
        self._feed(data)
        if self.head_bytes > HEAD_BYTES:
            self._refuse(_WHEN_TOO_LARGE)
        incomplete = self.waits_for == "body" and self.late_at is not None
        if incomplete and self.cycle.body and not self.transport.is_closing():
            # One piece at a time: the next is read when the application asks for it. A hundred
            # large bodies would otherwise fill two buffers each. Without anything to take, as after
            # the size of a chunk alone, the application would not ask again.
            self.flow.pause_reading()

    def _feed(self, data: bytes) -> None:
        while data and not self.is_refused:
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as offer:
                data = self._without_offer(data[offer.args[0] :])
            except HttpParserError:
                self._refuse(self.refusal or _WHEN_MALFORMED)
            else:
                return

    def _without_offer(self, rest: bytes) -> bytes:
        # Nobody has to accept an upgrade (RFC 9110, 7.8), but the parser takes what follows the
        # headers for another protocol. So it reads the same request again, as if none was offered.
        if self.parser.get_method() == b"CONNECT":
            self._refuse(_WHEN_MALFORMED)
            return b""
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/1.1"]
        lines += [b": ".join(header) for header in self.headers if header[0] not in _OFFER]
        if any(n == b"connection" and b"close" in value.lower() for n, value in self.headers):
            lines.append(b"connection: close")
        self.parser = HttpRequestParser(self)
        return b"\r\n".join([*lines, b"", rest])

    def on_headers_complete(self) -> None:
        """Expect a body; one without any is complete at once."""
        if self.parser.should_upgrade():
            return
        if self.head_bytes > HEAD_BYTES and self._head_size() > HEAD_BYTES:
            self._stop_parsing(_WHEN_TOO_LARGE)
        self.head_bytes = 0
        if len(self.pipeline) < WAITING_REQUESTS:
            self._expect("body", BODY_SECONDS)
            self.scope["extensions"] = EXTENSIONS  # type: ignore[typeddict-item]
            super().on_headers_complete()
            if not self.pipeline:
                self.answering = self.cycle
            return
        self.app = _refuse_more
        super().on_headers_complete()
        self.late_at = None
        self.is_refused = True
        self._stop_parsing(b"")

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _stop_parsing(self, refusal: bytes) -> None:
        self.refusal = refusal
        raise HttpParserError  # the only thing that stops the parser in the middle of what it has

    def on_body(self, body: bytes) -> None:
        """Something arrived that others count."""
        self.head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect nothing: now the sender waits."""
        if self.parser.should_upgrade():
            return
        self.late_at = None
        self.head_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the request that has waited longest."""
        self.answering = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()

    def shutdown(self) -> None:
        """End at once what is not even complete; uvicorn calls this when the process stops."""
        if self.flow.write_paused:
            unsent = self.transport.get_write_buffer_size()
            self.loop.call_later(STALLED_SECONDS, self._abort_if_stalled, unsent)
        if self.late_at is not None and self.waits_for == "body":
            self._hang_up(_WHEN_STOPPING)
        else:
            super().shutdown()

    @property
    def is_expecting(self) -> bool:
        """Whether a request is to come, which has not begun or is not complete."""
        return self.late_at is not None

    def hang_up_if_late(self, now: float) -> str:
        """Answer 408 and close when the deadline is over; what was waited for, or ""."""
        if self.late_at is None or now < self.late_at or self.transport.is_closing():
            return ""
        self._hang_up(_WHEN_TOO_SLOW)
        return self.waits_for

    def _hang_up(self, answer: bytes) -> None:
        self.late_at = None
        if self._owes_an_answer():
            self.transport.write(answer)
        self.transport.close()

    def _abort_if_stalled(self, unsent: int) -> None:
        if self.flow.write_paused and self.transport.get_write_buffer_size() >= unsent:
            self.transport.abort()

    def _refuse(self, answer: bytes) -> None:
        if self.is_refused:
            return
        self.is_refused = True
        self.late_at = None
        if not self._owes_an_answer():
            self.transport.close()
            return
        self.transport.write(answer)
        self.transport.write_eof()
        _disconnect(self.answering)
        self.flow.resume_reading()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _owes_an_answer(self) -> bool:
        # Not in the middle of another answer, and not to who has said nothing.
        if self.waits_for == "body":
            return not self.pipeline and not self.cycle.response_started
        return self.has_begun and self._is_idle()

    def _is_idle(self) -> bool:
        cycle: Any = self.cycle  # None before the first request
        return cycle is None or cycle.response_complete

    def _expect(self, what: str, seconds: float) -> None:
        self.waits_for = what
        self.late_at = self.loop.time() + seconds


def _disconnect(cycle: Any) -> None:
    if cycle is not None and not cycle.response_complete:
        cycle.disconnected = True
        cycle.message_event.set()


def _answer(problem: Problem, headers: str = "") -> bytes:
    body = problem.as_bytes()
    head = f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n{headers}"
    return STATUS_LINE[problem.status] + f"{head}connection: close\r\n\r\n".encode() + body


_WHEN_TOO_SLOW = _answer(_TOO_SLOW)
_WHEN_TOO_LARGE = _answer(_TOO_LARGE)
_WHEN_MALFORMED = _answer(_MALFORMED)
_WHEN_STOPPING = _answer(_STOPPING, f"retry-after: {RETRY_AFTER_SECONDS}\r\n")


_OFFER = {b"connection", b"upgrade", b"http2-settings"}


async def _refuse_more(_: Scope, __: Receive, send: Send) -> None:
    await respond_problem(send, _TOO_MANY, {"connection": "close"})


async def hang_up_on_late(connections: Iterable[Any]) -> None:
    """Close, once a second, the connections whose deadline is over; one log line each time."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        now = loop.time()
        late = Counter(connection.hang_up_if_late(now) for connection in list(connections))
        del late[""]
        if late:
            logger.warning("too slow, hung up", extra=dict(late))
