"""A receiver of callbacks: a small HTTP server on a real socket that remembers what it was sent."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The CloudEvent."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def after(self) -> str:
        """The commit that a push led to."""
        return str(self.document["data"]["after"])


@dataclass(frozen=True)
class Reply:
    """What the receiver answers."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    after_seconds: float = 0.0
    body: bytes = b""


Answering = Callable[[Received], Reply]


@dataclass
class Receiver:
    """
    A running receiver.

    Attributes:
        url: where it listens.
        answer: what it says to a request.
        received: every request, refused ones included, in order.
        taken: those that were answered with 2xx.
        most_at_once: how many requests it had at the same time.
    """

    url: str = ""
    answer: Answering = lambda _: Reply()
    received: list[Received] = field(default_factory=list)
    taken: list[Received] = field(default_factory=list)
    most_at_once: int = 0
    connections: int = 0
    _now: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it is closed."""
        self.connections += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    await self._answer_one(reader, writer)
        finally:
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Received(first.split()[1], headers, body)
        self.received.append(request)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        reply = self.answer(request)
        try:
            await asyncio.sleep(reply.after_seconds)
        finally:
            self._now -= 1
        fields = {"content-length": str(len(reply.body)), **reply.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"HTTP/1.1 {reply.status} X\r\n{head}\r\n".encode() + reply.body)
        await writer.drain()
        if 200 <= reply.status < 300:
            self.taken.append(request)


@asynccontextmanager
async def receiver(
    answer: Answering = lambda _: Reply(), *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """A receiver on a port of its own."""
    found = Receiver(answer=answer)
    handlers: set[asyncio.Task[None]] = set()

    def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.ensure_future(found.serve(reader, writer)))

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0, ssl=tls)
    found.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield found
    finally:
        server.close()
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


def afters(requests: list[Received]) -> list[str]:
    """The commits, in the order in which the receiver heard of them."""
    return [request.after for request in requests]
