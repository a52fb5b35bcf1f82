"""Real HTTP servers on loopback that speak the hub's and the server's contract, also badly."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


class Peer:
    """An HTTP/1.1 server; subclasses answer. `requests` is what has been asked so far."""

    def __init__(self) -> None:
        """Begin unasked."""
        self.requests: list[Request] = []
        self.url = ""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Write the answer to one request."""
        raise NotImplementedError

    async def open(self, port: int = 0) -> None:
        """Listen, on the given port if one is given."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        assert self._server
        # Who is accepted but not yet served when a server closes is forgotten by asyncio.
        asyncio.get_running_loop().remove_reader(self._server.sockets[0].fileno())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Cut every open connection."""
        for writer in self._writers:
            writer.transport.abort()

    def asked(self, method: str, path: str) -> list[Request]:
        """Return the requests of one kind."""
        return [one for one in self.requests if (one.method, one.path) == (method, path)]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            request = await _read(reader)
            self.requests.append(request)
            await self.answer(request, writer)
            await writer.drain()
        self._writers.discard(writer)
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    url = urlsplit(target)
    return Request(method, url.path, parse_qs(url.query), headers, body)


def respond(
    writer: asyncio.StreamWriter,
    status: int,
    body: object = None,
    length: int | None = None,
    head: str = "",
) -> None:
    """Write a whole answer; `length` claims another length than the body has."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
    head = f"HTTP/1.1 {status} .\r\nConnection: close\r\n{head}"
    head += "" if status == 204 else f"Content-Length: {length or len(data)}\r\n"
    writer.write(f"{head}\r\n".encode() + data)


class OneAnswer(Peer):
    """Says the same to everyone."""

    def __init__(self, answer: Callable[[asyncio.StreamWriter], None]) -> None:
        """Decide what."""
        super().__init__()
        self._answer = answer

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Say it."""
        self._answer(writer)


class HubPeer(Peer):
    """A hub whose every word the test chooses."""

    def __init__(self) -> None:
        """Begin with working answers."""
        super().__init__()
        self.streams: list[asyncio.StreamWriter] = []
        self.lease_status = 200
        self.report_status = 202
        self.events_status = 200

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Speak the contract."""
        if request.path == "/v1/subscriptions":
            respond(writer, 201, {"id": f"s{len(self.subscriptions)}", "cursor": "e-0-x"})
        elif request.path.endswith("/lease"):
            respond(writer, self.lease_status, {"detail": "no such subscription"})
        elif request.path == "/v1/reports":
            respond(writer, self.report_status)
        elif self.events_status != 200:
            respond(writer, self.events_status, {"detail": "not now"})
        else:
            await self._stream(writer)

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 .\r\nContent-Type: text/event-stream\r\n\r\n")
        await writer.drain()
        self.streams.append(writer)
        await writer.wait_closed()

    @property
    def subscriptions(self) -> list[Request]:
        """The subscriptions asked for so far."""
        return self.asked("POST", "/v1/subscriptions")

    @property
    def reports(self) -> list[dict[str, str]]:
        """The reports received so far, refused ones included."""
        return [json.loads(one.body) for one in self.asked("POST", "/v1/reports")]

    def say(self, block: str) -> None:
        """Send a block on the newest stream."""
        self.streams[-1].write(f"{block}\n\n".encode())


class ServerPeer(Peer):
    """A cd4sources server that offers what the test puts into it."""

    def __init__(self) -> None:
        """Begin with nothing built."""
        super().__init__()
        self.version = ""
        self.programs: dict[str, bytes] = {}
        self.watch_status = 200
        self.spoil: Callable[[bytes], bytes] = bytes
        self.claims_whole_length = False
        self.knows_ranges = True
        self.published_at: datetime | None = None
        self.artifact_changes: dict[str, object] = {}
        self._changed = asyncio.Event()

    def publish(self, version: str, program: str, published_at: datetime | None = None) -> None:
        """Offer a version, current since then."""
        self.programs[version] = program.encode()
        self.version = version
        self.published_at = published_at
        self._changed.set()
        self._changed = asyncio.Event()

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Speak the contract."""
        if self.watch_status != 200:
            respond(writer, self.watch_status, {"detail": "draining", "next": "ask again"})
        elif request.path == "/watch":
            await self._watch(request, writer)
        else:
            self._download(request, writer)

    async def _watch(self, request: Request, writer: asyncio.StreamWriter) -> None:
        known = request.query.get("version", [""])[0]
        if known == self.version:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(float(request.query["timeout"][0])):
                    await self._changed.wait()
        if known == self.version:
            respond(writer, 204)
        else:
            respond(writer, 200, self.record())

    def record(self) -> dict[str, object]:
        """Return what /watch answers."""
        program = self.programs[self.version]
        artifact = {
            "name": "app",
            "size": len(program),
            "sha256": hashlib.sha256(program).hexdigest(),
            "url": f"/download?version={self.version}",
        }
        trace = f"00-{'1' * 32}-{'2' * 16}-01"
        return {
            "version": self.version,
            "target": "shop",
            "artifact": artifact | self.artifact_changes,
            "traceparent": trace,
            "published_at": self.published_at and self.published_at.isoformat(),
        }

    def _download(self, request: Request, writer: asyncio.StreamWriter) -> None:
        program = self.programs[request.query["version"][0]]
        tag = f'"{hashlib.sha256(program).hexdigest()}"'
        first = 0
        if self.knows_ranges and request.headers.get("if-range") == tag:
            first = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
        head = f"Content-Range: bytes {first}-{len(program) - 1}/{len(program)}\r\n"
        length = len(program) - first if self.claims_whole_length else None
        sent = self.spoil(program)[first:]
        respond(writer, 206 if first else 200, sent, length, head if first else "")


PeerT = TypeVar("PeerT", bound=Peer)


@contextlib.asynccontextmanager
async def serving(peer: PeerT) -> AsyncIterator[PeerT]:
    """Keep a peer open."""
    await peer.open()
    try:
        yield peer
    finally:
        await peer.close()
