"""
The one server that holds the log: found through Sentinel or a Cluster where there is one.

All keys share a hash slot, so that at any moment one server has all of them; a fail-over or a slot
that moves means that it is another one now, and everything begins again there.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

from hub.log.base import LogUnavailable, LogUnfit
from hub.log.redis_address import Credentials, Endpoint, RedisAddress
from hub.log.redis_connection import (
    Argument,
    RedisConnection,
    RedisRefusal,
    connect,
    introduction,
)
from hub.log.redis_keys import Keys

logger = logging.getLogger(__name__)

OLDEST_MAJOR = 7  # sharded pub/sub, and scripts that are replicated by their effects
# A person must change something; anything else a server says may pass.
UNFIT = frozenset({"NOAUTH", "WRONGPASS"})
NEEDS = (
    "the hub's user needs ~{prefix}:{{log}}:* &{prefix}:{{log}}:* +@read +@write +@pubsub "
    "+@scripting +@connection +info +role +cluster|slots"
)


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

    async def connect(self) -> None:
        """
        Find the server and connect to it.

        Raises:
            LogUnavailable: it cannot be reached now.
            LogUnfit: it is reached, and cannot be used.
        """
        try:
            self._endpoint = await locate(self.address)
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
        if role != b"master":
            raise LogUnavailable(f"{_shown(self._endpoint)} is a replica now")
        if self.address.kind == "sentinel" and await locate(self.address) != self._endpoint:
            raise LogUnavailable(f"{_shown(self._endpoint)} is no longer the Sentinels' master")

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
        info = _fields(await self.execute("INFO", "server"))
        version = info.get("redis_version", "0")
        if int(version.partition(".")[0]) < OLDEST_MAJOR:
            raise LogUnfit(
                f"{_shown(self._endpoint)} is Redis {version}: {OLDEST_MAJOR} or later is needed"
            )
        await self.check_place()

    def judged(self, error: RedisRefusal) -> LogUnavailable | LogUnfit:
        """What a refusal at the beginning means: wait, or change something."""
        where = _shown(self._endpoint)
        # A script that may not do something fails with a code that says nothing.
        forbidden = error.code == "NOPERM" or "ACL failure" in str(error)
        if forbidden:
            return LogUnfit(f"{where}: {error}; {NEEDS.format(prefix=self.address.prefix)}")
        if error.code in UNFIT:
            return LogUnfit(f"{where}: {error}")
        return LogUnavailable(f"{where}: {error}")


async def locate(address: RedisAddress) -> Endpoint:
    """
    Where the log is now.

    Raises:
        LogUnavailable: none of the endpoints answers, or none knows.
        LogUnfit: the Sentinels know no such master.
    """
    if address.kind == "single":
        return address.endpoints[0]
    ask, credentials = (
        (_ask_sentinel, address.sentinel_credentials)
        if address.kind == "sentinel"
        else (_ask_cluster, address.credentials)
    )
    failures = []
    for endpoint in address.endpoints:
        try:
            return await _asked(address, endpoint, credentials, ask)
        except LogUnavailable as error:
            failures.append(f"{_shown(endpoint)}: {error}")
    raise LogUnavailable("; ".join(failures))


Question = Callable[[RedisAddress, Endpoint, RedisConnection], Any]


async def _asked(
    address: RedisAddress, endpoint: Endpoint, credentials: Credentials, ask: Question
) -> Endpoint:
    connection = await connect(endpoint, address.tls)
    try:
        for command in introduction(credentials, 0):
            await connection.send(*command)
        found: Endpoint = await ask(address, endpoint, connection)
        return found
    finally:
        connection.abort("asked")


async def _ask_sentinel(address: RedisAddress, _: Endpoint, sentinel: RedisConnection) -> Endpoint:
    # https://redis.io/docs/latest/develop/reference/sentinel-clients/
    found = await sentinel.send("SENTINEL", "GET-MASTER-ADDR-BY-NAME", address.master)
    if found is None:
        raise LogUnfit(f"the Sentinels at {address} know no master of that name")
    host, port = found
    return host.decode(), int(port)


async def _ask_cluster(address: RedisAddress, asked: Endpoint, node: RedisConnection) -> Endpoint:
    # https://redis.io/docs/latest/commands/cluster-slots/
    slot = await node.send("CLUSTER", "KEYSLOT", Keys(address.prefix)("log"))
    for first, last, master, *_ in await node.send("CLUSTER", "SLOTS"):
        if first <= slot <= last:
            return (master[0] or asked[0].encode()).decode(), int(master[1])
    raise LogUnavailable(f"no server has slot {slot}")


def _fields(info: bytes) -> dict[str, str]:
    lines = info.decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _shown(endpoint: Endpoint) -> str:
    host, port = endpoint
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
