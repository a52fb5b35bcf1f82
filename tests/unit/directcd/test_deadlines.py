"""What a connection is told when it is late, and how much is read ahead."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI

from directcd import deadlines, serving
from directcd.demo.world import free_ports
from directcd.life import Life
from hub.api.asgi import Receive, Scope, Send, respond

POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 40000000\r\n\r\n"


class Slow(FastAPI):
    """Begins an answer (`/begun`) or none, and reads the body late (`/first`) or never."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] == "/begun":
            await respond(send, 200, b"part", "text/plain", more_body=True)
        await asyncio.sleep(1)
        if scope["path"] != "/begun":
            body = b"whole"
            if scope["path"] == "/first":
                body = b"%d" % len((await receive())["body"])
            await respond(send, 200, body, "text/plain", {"connection": "close"})


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    """The application behind a socket: its port."""
    [port] = free_ports(1)
    app = Slow()
    app.state.stopping = asyncio.Event()
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serving.serve(app, f"127.0.0.1:{port}", "slow", Life(stopping)))
        await asyncio.sleep(0.2)
        yield port
        stopping.set()


async def said(port: int, request: bytes) -> bytes:
    """All that is answered to it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines that tests can wait for."""
    monkeypatch.setattr(deadlines, "HEADERS_SECONDS", 0.2)
    monkeypatch.setattr(deadlines, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(deadlines, "LOOK_EVERY_SECONDS", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_who_is_late_is_told_unless_it_was_silent_or_is_being_answered() -> None:
    """408 for half a request; nothing for a silent one; no second status in an answer."""
    async with served() as port:
        assert (await said(port, b"GET / HT")).startswith(b"HTTP/1.1 408 ")
        assert (await said(port, POST)).startswith(b"HTTP/1.1 408 ")
        assert await said(port, b"") == b""
        begun = await said(port, POST.replace(b"/ ", b"/begun "))
        assert begun.startswith(b"HTTP/1.1 200 ")
        assert begun.count(b"HTTP/1.1") == 1


async def test_no_more_is_read_than_the_application_asks_for() -> None:
    """The second piece stays with the kernel until the first is taken."""
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST.replace(b"/ ", b"/first ").replace(b"40000000", b"2000"))
        for _ in range(2):
            await asyncio.sleep(0.1)
            writer.write(b"x" * 1000)
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(4) == b"1000"
        writer.close()
