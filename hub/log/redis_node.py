"""
The one server that holds the log: found through Sentinel or a Cluster where there is one.

All keys share a hash slot, so that at any moment one server has all of them; a fail-over or a slot
that moves means that it is another one now, and everything begins again there.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from hub.log.base import LogUnavailable, LogUnfit
from hub.log.redis_address import Endpoint, RedisAddress
from hub.log.redis_connection import (
    Argument,
    RedisConnection,
    RedisRefusal,
    connect,
    introduction,
    shown,
)
from hub.log.redis_judging import judged
from hub.log.redis_keys import Keys
from hub.log.redis_location import Locator

OLDEST_MAJOR = 7  # sharded pub/sub, and scripts that are replicated by their effects


class Script:
    """A Lua script, sent once and then called by its digest."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisNode:
    """Connections to the server that holds the log, wherever that is when it is connected."""

    def __init__(self, address: RedisAddress) -> None:
        self.address = address
        self.keys = Keys(address.prefix)
        self._locator = Locator(address)
        self._endpoint: Endpoint = address.endpoints[0]
        self._commands: RedisConnection | None = None

    @property
    def sharded(self) -> bool:
        """Whether channels belong to slots: in a Cluster, messages stay on their server."""
        return self.address.kind == "cluster"

    @property
    def lost(self) -> "asyncio.Future[str]":
        """The end of the connection: why; raises LogUnavailable when there is none."""
        if self._commands is None:
            raise LogUnavailable("Redis is not connected")
        return self._commands.lost

    def send(self, *command: Argument) -> "asyncio.Future[Any]":
        """
        Send a command on the shared connection; the future has its reply.

        Raises:
            LogUnavailable: not connected, or (by the future) broken off or refused.
        """
        if self._commands is None:
            raise LogUnavailable("Redis is not connected")
        return self._commands.send(*command)

    async def execute(self, *command: Argument) -> Any:
        """
        The reply to one command: bytes, int, None or a list of them.

        Raises:
            LogUnavailable: no answer (it may have happened, or not), or RedisRefusal.
        """
        return await self.send(*command)

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """The reply of a script; errors as for `execute`."""
        rest = (str(len(keys)), *keys, *arguments)
        try:
            return await self.send("EVALSHA", script.digest, *rest)
        except RedisRefusal as error:
            if error.code != "NOSCRIPT":
                raise
        return await self.send("EVAL", script.text, *rest)

    async def info(self) -> dict[str, str]:
        """
        The fields of the server's INFO.

        Raises:
            LogUnavailable: no answer, or RedisRefusal.
        """
        return _fields(await self.execute("INFO"))

    async def connect(self) -> None:
        """
        Find the server and connect to it.

        Raises:
            LogUnavailable: it cannot be reached now.
            LogUnfit: it is reached, and cannot be used.
        """
        try:
            self._endpoint = await self._locator.locate()
            self._commands = await self._open()
            await self._examine()
        except RedisRefusal as error:
            raise self.judged(error) from error

    def disconnect(self, reason: str) -> None:
        """Close the connection; whoever waits for a reply is told the reason."""
        if self._commands is not None:
            self._commands.abort(reason)
            self._commands = None

    async def subscribe(self, name: str, on_reply: Callable[[Any], None]) -> RedisConnection:
        """
        A connection of its own whose replies are those of a subscription.

        Raises:
            LogUnavailable: the server cannot be reached.
        """
        subscription = await self._open(on_reply)
        subscription.post("SSUBSCRIBE" if self.sharded else "SUBSCRIBE", self.keys(name))
        return subscription

    async def check_place(self) -> None:
        """
        See that this is still the server to write to.

        Raises:
            LogUnavailable: another one is, or nobody knows.
        """
        role = (await self.execute("ROLE"))[0]
        where, kind = shown(self._endpoint), self.address.kind
        if role == b"sentinel":
            raise LogUnfit(f"{where} is a Sentinel: write redis+sentinel://{where}/NAME")
        if role != b"master":
            step = ": name its master, or use redis+sentinel://" if kind == "single" else " now"
            raise LogUnavailable(f"{where} is a replica{step}")
        if kind == "sentinel" and await self._locator.locate() != self._endpoint:
            raise LogUnavailable(f"{where} is no longer the Sentinels' master")

    async def _open(self, on_reply: Callable[[Any], None] | None = None) -> RedisConnection:
        address = self.address
        connection = await connect(self._endpoint, address.tls, on_reply)
        try:
            for command in introduction(address.credentials, address.database):
                if on_reply is None:
                    await connection.send(*command)
                else:
                    connection.post(*command)
        except LogUnavailable as error:
            connection.abort(str(error))
            raise
        return connection

    async def _examine(self) -> None:
        info = await self.info()
        version = info.get("redis_version", "0")
        where, major = shown(self._endpoint), version.partition(".")[0]
        if not major.isdecimal():
            raise LogUnfit(f"{where}: its version {version!r} is no number: is it a Redis?")
        if int(major) < OLDEST_MAJOR:
            raise LogUnfit(f"{where} is Redis {version}: {OLDEST_MAJOR} or later is needed")
        await self.check_place()

    def judged(self, error: RedisRefusal) -> LogUnavailable | LogUnfit:
        """What a refusal means: wait, or change something."""
        return judged(error, self._endpoint, self.address)


def _fields(info: bytes) -> dict[str, str]:
    lines = info.decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)
