"""HTTP as forges speak it: a connection a request, and an exact account of how it went."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

# Senders come from an address of their own: a port that a killed server has left must not become
# the other end of one of their connections before it is back.
SENDERS_ADDRESS = "127.0.0.2"


class Refused(Exception):
    """Nobody listens there."""


class NoAnswer(Exception):
    """The connection was made, and ended or fell silent before there was an answer."""


@dataclass(frozen=True)
class Answer:
    """One answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


async def request(
    port: int,
    target: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    seconds: float = 10.0,
) -> Answer:
    """
    GET a target, or POST a body to it.

    Raises:
        Refused: the connection was.
        NoAnswer: none came within so many seconds.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _request(port, _head(target, body, headers or {}) + body)
    except TimeoutError:
        raise NoAnswer(f"none within {seconds:g} s") from None


def _head(target: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = [
        f"{'POST' if body else 'GET'} {target} HTTP/1.1",
        "Host: [::1]",
        "Connection: close",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode()


async def _request(port: int, message: bytes) -> Answer:
    try:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, local_addr=(SENDERS_ADDRESS, 0)
        )
    except OSError as error:
        raise Refused(str(error)) from error
    try:
        writer.write(message)
        return _answer(await reader.read())
    except OSError as error:
        raise NoAnswer(str(error)) from error
    finally:
        writer.close()


def _answer(text: bytes) -> Answer:
    head, end, body = text.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if not end:
        raise NoAnswer(f"closed after {len(text)} bytes")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    if len(body) < int(headers.get("content-length", 0)):
        raise NoAnswer("closed within the body")
    return Answer(int(first.split()[1]), headers, body)
