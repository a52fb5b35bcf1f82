"""The ASGI messages that the raw endpoints (webhooks, events) send and receive."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from hub.problem import MEDIA_TYPE, Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def header_map(scope: Scope) -> dict[str, str]:
    """Headers by lower-case name; latin-1 maps every byte, so nothing can fail here."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def respond(
    send: Send,
    status: int,
    body: bytes,
    media_type: str,
    headers: Mapping[str, str] | None = None,
    *,
    more_body: bool = False,
) -> None:
    """Send a response: a whole one, unless an empty rest of its body is sent later."""
    raw = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body))]
    raw += _raw(headers or {})
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": more_body})


async def respond_empty(send: Send, headers: Mapping[str, str]) -> None:
    """Send 204, which has no length either: https://www.rfc-editor.org/rfc/rfc9110#section-8.6."""
    await send({"type": "http.response.start", "status": 204, "headers": _raw(headers)})
    await send({"type": "http.response.body", "body": b""})


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


async def respond_problem(
    send: Send,
    problem: Problem,
    headers: Mapping[str, str] | None = None,
    *,
    more_body: bool = False,
) -> None:
    """Send a problem."""
    body = problem.as_bytes()
    await respond(send, problem.status, body, MEDIA_TYPE, headers, more_body=more_body)
