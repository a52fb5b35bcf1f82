"""The ASGI messages that the raw endpoints (webhooks, events) send and receive."""

from collections.abc import Awaitable, Callable, MutableMapping
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
    send: Send, status: int, body: bytes, media_type: str, headers: dict[str, str] | None = None
) -> None:
    """Send a whole response."""
    fields = {"content-type": media_type, "content-length": str(len(body)), **(headers or {})}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def respond_problem(
    send: Send, problem: Problem, headers: dict[str, str] | None = None
) -> None:
    """Send a problem."""
    await respond(send, problem.status, problem.as_bytes(), MEDIA_TYPE, headers)
