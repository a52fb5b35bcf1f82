"""The network between a hub and Redis, as a TCP proxy that can fail in three ways."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK_BYTES = 65536


class Proxy:
    """
    Passes connections on to a port.

    Attributes:
        port: its own.
    """

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._passing = asyncio.Event()
        self._passing.set()

    async def heal(self) -> None:
        """Accept connections and pass everything on; what was swallowed arrives late."""
        self._passing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            writer.transport.abort()

    def refuse(self) -> None:
        """Reset every connection, and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    def swallow(self) -> None:
        """Connections stay, new ones are made, and nothing arrives any more."""
        self._passing.clear()

    async def close(self) -> None:
        """End for good."""
        self._passing.set()
        self.refuse()
        await asyncio.gather(*self._handlers)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._connect(reader, writer))
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(OSError):
            out_reader, out_writer = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(out_writer)
            await asyncio.gather(self._pump(reader, out_writer), self._pump(out_reader, writer))
            self._writers.discard(out_writer)
        writer.transport.abort()
        self._writers.discard(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def proxy(port: int, target: int) -> AsyncIterator[Proxy]:
    """A proxy that passes everything on until it is told otherwise."""
    running = Proxy(port, target)
    await running.heal()
    try:
        yield running
    finally:
        await running.close()
