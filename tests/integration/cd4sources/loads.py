"""A program that serves a socket it was handed, and requests that never cease."""

import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PATIENCE_SECONDS = 20.0
"""A request that is not answered by then has failed; the machine may be busy."""


def http_program(journal: object, body: str = "") -> str:
    """
    Return a program that answers requests on descriptor 3 with its version.

    When asked to stop it accepts no more, and closes each connection with its next answer.

    Args:
        journal: File to which it appends `start VERSION PID` when it begins to accept.
        body: Python to run before that.
    """
    return f"""#!{sys.executable} -IS
import os, select, signal, socket, threading
version = os.environ["DIRECTCD_VERSION"]
def tell():
    with open({str(journal)!r}, "a") as file: file.write(f"start {{version}} {{os.getpid()}}\\n")
{body}
assert (os.environ["LISTEN_FDS"], os.environ["LISTEN_PID"]) == ("1", str(os.getpid()))
listener = socket.socket(fileno=3)
listener.setblocking(False)
draining = threading.Event()
told, telling = os.pipe()
signal.signal(signal.SIGTERM, lambda *_: (draining.set(), os.write(telling, b"x")))
def serve(connection):
    with connection, connection.makefile("rb") as lines:
        while lines.readline():
            head = b"".join(iter(lines.readline, b"\\r\\n")).lower()
            last = draining.is_set() or b"connection: close" in head
            kept = "close" if last else "keep-alive"
            head = f"HTTP/1.1 200 .\\r\\nConnection: {{kept}}\\r\\nContent-Length: 14\\r\\n\\r\\n"
            connection.sendall(f"{{head}}{{version}}".encode())
            if last: return
tell()
while not draining.is_set():
    if listener in select.select([listener, told], [], [])[0]:
        try: connection = listener.accept()[0]
        except BlockingIOError: continue  # the other version was faster
        threading.Thread(target=serve, args=(connection,)).start()
listener.close()
"""


class Load:
    """Requests under way, and how they ended: by version, or by error."""

    def __init__(self, port: int) -> None:
        """Ask nothing yet."""
        self._port = port
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []

    async def ask_for_ever(self, kept: str) -> None:
        """One request after the other, over connections that are kept as long as both want."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._connection(kept)
            except Exception as error:  # noqa: BLE001 -- each is one failed request
                self.failures.append(f"{kept}: {error!r}")

    async def _connection(self, kept: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            head = b""
            for _ in range(20):
                if b"close" in head:
                    break
                writer.write(f"GET / HTTP/1.1\r\nHost: x\r\nConnection: {kept}\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                self.answers[(await reader.readexactly(14)).decode()] += 1
                await asyncio.sleep(0.002)
        finally:
            writer.transport.abort()


@asynccontextmanager
async def load(port: int) -> AsyncIterator[Load]:
    """Ask over four connections at a time, two of them kept alive."""
    asking = Load(port)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(asking.ask_for_ever(kept)) for kept in ("close", "keep-alive") * 2
        ]
        try:
            yield asking
        finally:
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)
