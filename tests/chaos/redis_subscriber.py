"""Who follows Redis itself: the channel for what is new, the stream for what it did not hear."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import hiredis
import redis

from tests.chaos.redises import EPOCH, EVENTS, LOG, Redises
from tests.chaos.subscribers import Subscriber, decode, place

LOOK_SECONDS = 1.0
PAGE = 1000
AGAIN_SECONDS = 0.1


class _Lost(Exception):
    """The connection, or the server, is no longer the right one."""


class _Link:
    """A connection whose replies are read one by one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._replies = hiredis.Reader(notEnoughData=_Lost)

    async def reply(self, seconds: float = LOOK_SECONDS * 3) -> Any:
        async with asyncio.timeout(seconds):
            while (reply := self._replies.gets()) is _Lost:
                data = await self._reader.read(65536)
                if not data:
                    raise _Lost
                self._replies.feed(data)
        if isinstance(reply, hiredis.ReplyError):
            raise _Lost(str(reply))
        return reply

    async def ask(self, *command: str) -> Any:
        self._writer.write(hiredis.pack_command(command))  # type: ignore[arg-type] # its stub is too narrow
        return await self.reply()

    def close(self) -> None:
        self._writer.transport.abort()


@asynccontextmanager
async def _link(port: int) -> AsyncIterator[_Link]:
    async with asyncio.timeout(2):
        link = _Link(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield link
    finally:
        link.close()


async def follow(me: Subscriber, redises: Redises) -> None:
    """Follow Redis for ever; a cursor that the stream no longer knows is a gap."""
    while True:
        with suppress(OSError, _Lost, redis.RedisError, hiredis.ProtocolError):
            port = (await asyncio.to_thread(redises.owner)).port
            async with _link(port) as heard, _link(port) as asked:
                await _listen(me, redises, heard, asked)
        await asyncio.sleep(AGAIN_SECONDS)


async def _listen(me: Subscriber, redises: Redises, heard: _Link, asked: _Link) -> None:
    await heard.ask("SSUBSCRIBE" if redises.sharded else "SUBSCRIBE", EVENTS)
    await _catch_up(me, asked)
    me.ready.set()
    while True:
        try:
            kind, _, text = await heard.reply(LOOK_SECONDS)
        except TimeoutError:
            await _look(me, asked)
            continue
        if kind not in {b"message", b"smessage"}:
            raise _Lost
        message = decode(text)
        if _follows(message.id, me.cursor):
            _take(me, text)
        elif message.id != me.cursor:
            await _catch_up(me, asked)


def _follows(newer: str, cursor: str) -> bool:
    if not cursor:  # a master that had nothing yet has taken over
        return False
    epoch, position = place(cursor)
    return place(newer) == (epoch, position + 1)


async def _look(me: Subscriber, asked: _Link) -> None:
    if (await asked.ask("ROLE"))[0] != b"master":
        raise _Lost
    await _catch_up(me, asked)


def _take(me: Subscriber, text: bytes) -> None:
    message = decode(text)
    me.take(message, "redis")
    me.cursor = message.id


async def _catch_up(me: Subscriber, asked: _Link) -> None:
    while True:
        entries = await asked.ask("XRANGE", LOG, _start(me.cursor), "+", "COUNT", str(PAGE))
        if me.cursor and not _continues(me.cursor, entries):
            # In this order: what comes while it looks at everything is read from here on.
            newest = await asked.ask("XREVRANGE", LOG, "+", "-", "COUNT", "1")
            await me.gap("the stream does not continue from the cursor", "redis")
            me.cursor = _cursor(newest[0]) if newest else ""
            return
        if not me.cursor:  # from the beginning
            birth = await asked.ask("GET", EPOCH)
            if birth is None:
                return
            me.cursor = f"{birth.decode()}-0-000000"
        news = [entry for entry in entries if _cursor(entry) != me.cursor]
        for entry in news:
            _take(me, b'{"id":"%s",%s' % (_cursor(entry).encode(), _fields(entry)[b"m"]))
        if len(entries) < PAGE:
            return


def _start(cursor: str) -> str:
    if not cursor:
        return "-"
    epoch, position = place(cursor)
    return f"{epoch}-{max(position, 1)}"


def _continues(cursor: str, entries: list[Any]) -> bool:
    _, position = place(cursor)
    if position == 0:
        return not entries or place(_cursor(entries[0]))[1] == 1
    return bool(entries) and _cursor(entries[0]) == cursor


def _fields(entry: list[Any]) -> dict[bytes, bytes]:
    values = entry[1]
    return dict(zip(values[::2], values[1::2], strict=True))


def _cursor(entry: list[Any]) -> str:
    return f"{entry[0].decode()}-{_fields(entry)[b't'].decode()}"
