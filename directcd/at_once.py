"""
Whole answers in one piece, without their application's task: the `AT_ONCE` extension for uvicorn.

uvicorn writes an answer in two pieces, head and body, and only when the task that waits has been
woken. For ten thousand who wait for the same answer, that is most of what it costs.
"""

from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from cd4sources.waiting import AT_ONCE


def answer_at_once(
    send: Any, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes
) -> bool:
    """
    Answer a request whose application waits in `receive`.

    Args:
        send: What the server gave the application for this request.
        status: The answer's.
        headers: The answer's, with the body's length.
        body: All of it.

    Returns:
        Whether it was sent. What is unusual in any way takes the usual way.
    """
    cycle = send.__self__
    if cycle.disconnected or cycle.response_started or cycle.flow.write_paused:
        return False
    if not cycle.keep_alive or cycle.waiting_for_100_continue:
        return False
    lines = [b"%b: %b\r\n" % header for header in (*cycle.default_headers, *headers)]
    cycle.transport.write(b"".join((STATUS_LINE[status], *lines, b"\r\n", body)))
    cycle.response_started = cycle.response_complete = True
    cycle.message_event.set()
    cycle.on_response()
    return True


EXTENSIONS = {AT_ONCE: answer_at_once}
"""What a scope tells of it; one for all of them."""
