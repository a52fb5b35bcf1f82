"""
Deadlines for receiving a request: a sender that drips or is silent does not keep its connection.

Only receiving has one. What is sent (streams, polls, downloads) may take as long as it takes.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from hub.problem import MEDIA_TYPE, Problem

logger = logging.getLogger(__name__)

HEADERS_SECONDS = 10.0  # from the connection, or from a later request's first byte
BODY_SECONDS = 15.0  # from the headers; GitHub itself gives up after 10, Gitea after 5
LOOK_EVERY_SECONDS = 1.0
RETRY_AFTER_SECONDS = 2  # a process that is restarted is back by then

_TOO_SLOW = Problem(
    408,
    "request-too-slow",
    f"the headers did not arrive within {HEADERS_SECONDS:g} s, "
    f"or the body not within {BODY_SECONDS:g} s after them",
    "send it again; if it happens again, look at the network between sender and here",
)
_STOPPING = Problem(
    503,
    "stopping",
    "this process is about to end, and the request was not complete",
    "send it again",
)


class PunctualProtocol(HttpToolsProtocol):
    """
    uvicorn's HTTP, knowing until when what it waits for must have arrived.

    A timer for each request would cost more than the request's headers. A date costs nothing, and
    `hang_up_on_late` looks at all of them once a second.
    """

    late_at: float | None = None
    waits_for = "headers"
    has_begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect headers."""
        super().connection_made(transport)
        self._expect("headers", HEADERS_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Expect headers from the first byte of a request, even if that is an empty line."""
        if self.late_at is None and self._is_idle():
            self._expect("headers", HEADERS_SECONDS)
        self.has_begun = True
        super().data_received(data)
        incomplete = self.waits_for == "body" and self.late_at is not None
        if incomplete and not self.transport.is_closing():
            # One piece at a time: the next is read when the application asks for it. A hundred
            # large bodies would otherwise fill two buffers each.
            self.flow.pause_reading()

    def on_headers_complete(self) -> None:
        """Expect a body; one without any is complete at once."""
        self._expect("body", BODY_SECONDS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expect nothing: now the sender waits."""
        self.late_at = None
        super().on_message_complete()

    def shutdown(self) -> None:
        """End at once what is not even complete; uvicorn calls this when the process stops."""
        if self.late_at is not None and self.waits_for == "body":
            self._hang_up(_WHEN_STOPPING)
        else:
            super().shutdown()

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


def _answer(problem: Problem, headers: str = "") -> bytes:
    body = problem.as_bytes()
    head = f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n{headers}"
    return STATUS_LINE[problem.status] + f"{head}connection: close\r\n\r\n".encode() + body


_WHEN_TOO_SLOW = _answer(_TOO_SLOW)
_WHEN_STOPPING = _answer(_STOPPING, f"retry-after: {RETRY_AFTER_SECONDS}\r\n")


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
