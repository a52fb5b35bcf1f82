"""Bodies of requests: small, and whole before anybody looks at them."""

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from cd4sources.problems import Problem

MOST_BYTES = 64 * 1024
"""The largest honest one, which pins a version, has 30."""


async def bounded(scope: Scope, receive: Receive) -> Receive:
    """
    The same request's `receive`, with a body that is no longer than any honest one.

    FastAPI would read it all, and takes an error of ours in between for malformed JSON.

    Raises:
        Problem: 413, the body is too long; no more of it than the limit was read.
    """
    headers = Headers(scope=scope)
    declared = headers.get("Content-Length", "0")
    if declared == "0" and "Transfer-Encoding" not in headers:
        return receive
    if declared.isdecimal() and int(declared) > MOST_BYTES:
        raise _too_large()
    body = await _read(receive)
    return receive if body is None else _first(body, receive)


async def _read(receive: Receive) -> bytes | None:
    """The body; None when its sender left."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            raise _too_large()
        more = message.get("more_body", False)
    return bytes(body)


def _first(body: bytes, receive: Receive) -> Receive:
    left = [body]

    async def received() -> Message:
        return {"type": "http.request", "body": left.pop()} if left else await receive()

    return received


def _too_large() -> Problem:
    detail = f"a request's body has at most {MOST_BYTES} bytes here"
    return Problem(413, "body-too-large", detail, "see /openapi.json for what is taken")
