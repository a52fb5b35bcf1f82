"""
One connection to a Redis server.

What is sent within one turn of the event loop leaves in one write, and replies are matched by their
order: a call costs a few microseconds instead of a round trip. Nothing here knows what is said.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import hiredis

from hub.log.base import LogUnavailable, LogUnfit
from hub.log.redis_address import Credentials, Endpoint, Tls
from hub.resolving import addresses
from hub.secrets import SecretFile, SecretFileError

Argument = str | bytes | int | float

CONNECT_SECONDS = 2.0
REPLY_SECONDS = 2.0  # a server that is this slow is as good as away; the spool takes over
CHECK_SECONDS = 0.25  # how often that is looked at: a timer of its own for every call costs more

ServerError = hiredis.ReplyError
"""What a reply is when the server refuses."""

_NOTHING = object()


class RedisRefusal(LogUnavailable):
    """The server answered with an error; `code` is its first word, such as READONLY."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = message.partition(" ")[0]


class RedisConnection(asyncio.Protocol):
    """A connection for commands, or one for a subscription when it is given `on_reply`."""

    def __init__(self, name: str, on_reply: Callable[[Any], None] | None = None) -> None:
        """
        Args:
            name: what is said of the server.
            on_reply: takes every reply, asked for or not; without it each belongs to a call.
        """
        self._name = name
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._on_reply = on_reply or self._settle
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[bytes] = []
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._checking: asyncio.TimerHandle | None = None
        self.lost: asyncio.Future[str] = self._loop.create_future()

    # --- asyncio.Protocol -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._check()

    def data_received(self, data: bytes) -> None:
        """Hand every complete reply on."""
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not _NOTHING:
                self._on_reply(reply)
        except hiredis.ProtocolError:
            self.abort(f"{self._name} does not speak the Redis protocol")

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is still waiting: it may have happened, or not."""
        self._end(str(exc) if exc else "the connection was closed")

    # --- calls ----------------------------------------------------------------------------------

    def send(self, *command: Argument) -> "asyncio.Future[Any]":
        """
        Send a command; the future has its reply, or a RedisRefusal, or LogUnavailable.

        Replies are bytes, int, None or lists of them.
        """
        packed = _packed(command)  # before there is anybody who would wait for its reply
        future: asyncio.Future[Any] = self._loop.create_future()
        if self.lost.done():
            future.set_exception(LogUnavailable(self.lost.result()))
            return future
        self._waiting.append((self._loop.time(), future))
        self._post(packed)
        return future

    def post(self, *command: Argument) -> None:
        """Send a command whose replies go to `on_reply`."""
        self._post(_packed(command))

    def abort(self, reason: str) -> None:
        """Close at once."""
        self._end(reason)
        if self._transport is not None:
            self._transport.abort()

    def _post(self, packed: bytes) -> None:
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(packed)

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(outgoing))

    def _settle(self, reply: Any) -> None:
        if not self._waiting:
            self.abort("it sent what nobody asked for")
            return
        _, future = self._waiting.popleft()
        if future.done():
            return
        if isinstance(reply, hiredis.ReplyError):
            future.set_exception(RedisRefusal(str(reply)))
        else:
            future.set_result(reply)

    def _check(self) -> None:
        if self._waiting and self._loop.time() - self._waiting[0][0] > REPLY_SECONDS:
            self.abort(f"no answer for {REPLY_SECONDS:g} s")
            return
        self._checking = self._loop.call_later(CHECK_SECONDS, self._check)

    def _end(self, reason: str) -> None:
        if self._checking is not None:
            self._checking.cancel()
        if not self.lost.done():
            self.lost.set_result(reason)
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(LogUnavailable(reason))
                future.exception()  # who sent it may be gone: that is no error of the loop's


async def connect(
    endpoint: Endpoint,
    tls: Tls | None = None,
    on_reply: Callable[[Any], None] | None = None,
) -> RedisConnection:
    """
    A connection that has not said anything yet.

    Raises:
        LogUnavailable: nobody answers there, or not in the agreed way.
        LogUnfit: a certificate's file cannot be used.
    """
    name = shown(endpoint)
    context = _context(tls)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await _reach(endpoint, context, lambda: RedisConnection(name, on_reply))
    except TimeoutError as error:
        raise LogUnavailable(f"{name}: no answer for {CONNECT_SECONDS:g} s") from error
    except OSError as error:
        raise LogUnavailable(f"{name} cannot be reached: {error}") from error


async def _reach(
    endpoint: Endpoint, context: ssl.SSLContext | None, make: Callable[[], RedisConnection]
) -> RedisConnection:
    # Looked up here, and not by asyncio: its threads are few, and the log's disk work needs them.
    host, port = endpoint
    loop = asyncio.get_running_loop()

    async def connected(address: str) -> RedisConnection:
        name = host if context else None
        found = await loop.create_connection(make, address, port, ssl=context, server_hostname=name)
        return found[1]

    *others, last = await addresses(host, port)
    for address in others:
        with suppress(OSError):
            return await connected(address)
    return await connected(last)


def shown(endpoint: Endpoint) -> str:
    """An endpoint as it is written."""
    host, port = endpoint
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _packed(command: Sequence[Argument]) -> bytes:
    packed: bytes = hiredis.pack_command(tuple(command))  # type: ignore[arg-type] # stub too narrow
    return packed


def introduction(credentials: Credentials, database: int) -> Iterable[tuple[str, ...]]:
    """
    The commands that a connection begins with.

    Raises:
        LogUnfit: the password's file cannot be read.
    """
    if password := password_of(credentials):
        user = (credentials.username,) if credentials.username else ()
        yield ("AUTH", *user, password)
    if database:
        yield ("SELECT", str(database))


def password_of(credentials: Credentials) -> str:
    """
    The password, wherever it stands; empty when there is none.

    Raises:
        LogUnfit: its file cannot be read.
    """
    if not credentials.password_file:
        return credentials.password
    try:
        return SecretFile(Path(credentials.password_file)).read().value.decode()
    except (SecretFileError, UnicodeDecodeError) as error:
        raise LogUnfit(f"the password of Redis: {error}") from error


def _context(tls: Tls | None) -> ssl.SSLContext | None:
    if tls is None:
        return None
    try:
        context = ssl.create_default_context(cafile=tls.ca or None)
        if tls.cert:
            context.load_cert_chain(tls.cert, tls.key or None)
    except OSError as error:
        files = ", ".join(filter(None, (tls.ca, tls.cert, tls.key)))
        raise LogUnfit(f"{files}: {error.strerror or error}") from error
    return context
