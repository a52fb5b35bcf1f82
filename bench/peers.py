"""
The servers that `bench/ingest.py` measures: the least there can be, and what others have written.

Each is started as `python -P bench/peers.py NAME PORT [REDIS_PORT]`, or is a program of its own.
"""

import asyncio
import hmac
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import hiredis
import uvicorn

SECRET = b"a secret of the benchmark"
PLACE = Path(tempfile.gettempdir()) / "directcd-bench-peers"
PATH = "/webhooks/github/main"

AIOHTTP = f"""
import sys
from aiohttp import web
from gidgethub import sansio
async def receive(request):
    body = await request.read()
    sansio.Event.from_http(request.headers, body, secret={SECRET.decode()!r})
    return web.Response(status=202)
app = web.Application(client_max_size=2**25)
app.router.add_post({PATH!r}, receive)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
"""

NODE = f"""
import {{ createServer }} from "node:http";
import {{ Webhooks, createNodeMiddleware }} from "@octokit/webhooks";
const webhooks = new Webhooks({{ secret: {json.dumps(SECRET.decode())} }});
webhooks.on("push", () => {{}});
const options = {{ path: {json.dumps(PATH)} }};
createServer(createNodeMiddleware(webhooks, options)).listen(+process.argv[2], "127.0.0.1");
"""

DEBIAN = [
    {
        "id": "github/main",
        "execute-command": "/bin/true",
        "trigger-rule": {
            "match": {
                "type": "payload-hmac-sha256",
                "secret": SECRET.decode(),
                "parameter": {"source": "header", "name": "X-Hub-Signature-256"},
            }
        },
    }
]


def aiohttp_command(port: int) -> list[str]:
    """Aiohttp with gidgethub, installed when it is not."""
    python = PLACE / "aiohttp/bin/python"
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(PLACE / "aiohttp")])
        _run([str(python), "-m", "pip", "install", "-q", "aiohttp", "gidgethub"])
    return [str(python), "-c", AIOHTTP, str(port)]


def node_command(port: int) -> list[str]:
    """Node with @octokit/webhooks, installed when it is not."""
    place = PLACE / "node"
    if not (place / "node_modules/@octokit/webhooks").exists():
        place.mkdir(parents=True, exist_ok=True)
        _run(["npm", "install", "--silent", "--prefix", str(place), "@octokit/webhooks"])
    (place / "server.mjs").write_text(NODE)
    return ["node", str(place / "server.mjs"), str(port)]


def debian_command(port: int) -> list[str]:
    """Debian's `webhook`, unpacked and not installed; it runs /bin/true for each delivery."""
    place = PLACE / "debian"
    binary = place / "usr/bin/webhook"
    if not binary.exists():
        place.mkdir(parents=True, exist_ok=True)
        _run(["sh", "-c", f"cd {place} && apt-get download webhook && dpkg-deb -x webhook_*.deb ."])
    (place / "hooks.json").write_text(json.dumps(DEBIAN))
    hooks = ["-hooks", str(place / "hooks.json"), "-urlprefix", "webhooks"]
    return [str(binary), *hooks, "-ip", "127.0.0.1", "-port", str(port)]


def own_command(name: str, redis_port: int = 0) -> Callable[[int], list[str]]:
    """One of the two below."""

    def command(port: int) -> list[str]:
        return [sys.executable, "-P", __file__, name, str(port), str(redis_port)]

    return command


def wait_until_listening(port: int) -> None:
    """Return once somebody listens there; raises TimeoutError."""
    deadline = time.monotonic() + 20
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if time.monotonic() > deadline:
            raise TimeoutError("the server does not listen")
        time.sleep(0.05)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=180)


async def _body(receive: Any) -> bytes:
    chunks = []
    more = True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


async def _accept(send: Any) -> None:
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


async def bare(_: Any, receive: Any, send: Any) -> None:
    """Read the body and accept it."""
    await _body(receive)
    await _accept(send)


class Publisher(asyncio.Protocol):
    """The shortest way to have something published, many of them under way at once."""

    def __init__(self) -> None:
        self._replies = hiredis.Reader()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Tell whoever waits."""
        self._replies.feed(data)
        while self._replies.gets() is not False:
            self._waiting.popleft().set_result(None)

    def publish(self, message: bytes) -> "asyncio.Future[None]":
        """Publish, and wait until Redis has it."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        command: Any = (b"PUBLISH", b"pushes", message)
        self._transport.write(hiredis.pack_command(command))
        return future


class Limit:
    """Read, verify and publish: nothing is parsed, remembered or said."""

    def __init__(self, redis_port: int) -> None:
        self._port = redis_port
        self._publisher: Publisher | None = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one delivery."""
        body = await _body(receive)
        signature = b"sha256=" + hmac.digest(SECRET, body, "sha256").hex().encode()
        given = next(value for name, value in scope["headers"] if name == b"x-hub-signature-256")
        if not hmac.compare_digest(given, signature):
            raise ValueError(given)
        if self._publisher is None:
            loop = asyncio.get_running_loop()
            _, self._publisher = await loop.create_connection(Publisher, "127.0.0.1", self._port)
        await self._publisher.publish(body[:600])  # about a notification's size
        await _accept(send)


if __name__ == "__main__":
    NAME, PORT, REDIS_PORT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    APP: Any = bare if NAME == "bare" else Limit(REDIS_PORT)
    uvicorn.run(APP, port=PORT, log_config=None, access_log=False, server_header=False,
                lifespan="off")  # fmt: skip
