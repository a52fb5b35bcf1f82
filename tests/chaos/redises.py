"""Redis in its three forms, each with the one server that has the log right now."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import redis

from tests.chaos.hubs import quiet_ports
from tests.chaos.proxy import Proxy, proxy
from tests.support.redis_servers import (
    RedisServer,
    cluster,
    cluster_url,
    sentinel_url,
    sentinels,
    wait_for,
)

# `always`: with `everysec` Redis answers before it writes whenever the disk is slow, and a SIGKILL
# would lose what was acknowledged. A log that forgets is another test (the fail-over).
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
BELIEVING_SECONDS = 2.0  # an old master that is back may believe in itself for so long
LOG = "directcd:{log}:log"
EPOCH = "directcd:{log}:epoch"
EVENTS = "directcd:{log}:events"


class Redises(Protocol):
    """
    Some servers.

    Attributes:
        sharded: whether its channels are a Cluster's.
        forgetful: whether its faults may lose what was acknowledged a moment ago.
    """

    sharded: bool
    forgetful: bool

    def url(self, hub: str) -> str:
        """The address a hub is given."""

    def owner(self) -> RedisServer:
        """The server that has the log now; blocks."""

    def wait_until_whole(self) -> None:
        """Return when nothing is left of a fault; blocks."""


@dataclass
class Single:
    """One server, and a proxy of its own in front of it for each hub."""

    server: RedisServer
    proxies: dict[str, Proxy] = field(default_factory=dict)
    sharded: bool = False
    forgetful: bool = False

    def url(self, hub: str) -> str:
        """Through the hub's proxy."""
        return f"redis://127.0.0.1:{self.proxies[hub].port}"

    def owner(self) -> RedisServer:
        """The only one."""
        return self.server

    def wait_until_whole(self) -> None:
        """It is, as soon as it answers."""


@asynccontextmanager
async def single(directory: Path) -> AsyncIterator[Single]:
    """One server that keeps what it has acknowledged."""
    port, *ports = quiet_ports(3)
    server = RedisServer(directory / "redis", "--save", "", *DURABLE, port=port)
    async with AsyncExitStack() as stack:
        stack.callback(server.kill)
        found = Single(server)
        for hub, own in zip("ab", ports, strict=True):
            found.proxies[hub] = await stack.enter_async_context(proxy(own, port))
        yield found


@dataclass
class Group:
    """A master and a replica that three Sentinels watch."""

    servers: list[RedisServer]
    watchers: list[RedisServer]
    sharded: bool = False
    forgetful: bool = True

    def url(self, hub: str) -> str:
        """The Sentinels."""
        return sentinel_url(self.watchers)

    def owner(self) -> RedisServer:
        """The master, as the Sentinels say."""
        with self.watchers[0].client() as client:
            _, port = client.sentinel_get_master_addr_by_name("hub")
        return next(server for server in self.servers if server.port == port)

    def has_left(self, server: RedisServer) -> bool:
        """Whether all Sentinels have another master for good: a fail-over may still be undone."""
        return all(master["port"] != server.port for master in self._masters())

    def wait_until_whole(self) -> None:
        """Return when the master has its replica, and the Sentinels agree; blocks."""
        patient_until = time.monotonic() + BELIEVING_SECONDS
        wait_for(lambda: self._is_whole(patient_until), "the group to be whole", 40.0)

    def _is_whole(self, patient_until: float) -> bool:
        try:
            owner = self.owner()
            with owner.client() as client:
                info = client.info("replication")
            whole = info["role"] == "master" and _in_sync(info) and self._is_agreed_on()
            if not whole and time.monotonic() > patient_until:
                self._reunite(owner)
        except (redis.RedisError, StopIteration):
            return False
        return bool(whole)

    def _reunite(self, owner: RedisServer) -> None:
        # The Sentinels do the same, but only after ten seconds.
        if not self._is_agreed_on():
            return
        for server in self.servers:
            if server is not owner and server.do("ROLE")[0] == b"master":
                server.do("REPLICAOF", "127.0.0.1", owner.port)

    def _is_agreed_on(self) -> bool:
        masters = list(self._masters())
        states = " ".join(str(master["flags"]) for master in masters)
        one = len({master["port"] for master in masters}) == 1
        return one and "down" not in states and "failover" not in states

    def _masters(self) -> Iterator[dict[str, object]]:
        for watcher in self.watchers:
            with watcher.client() as client:
                yield client.sentinel_master("hub")


def _in_sync(info: dict[str, object]) -> bool:
    replica = info.get("slave0")
    return isinstance(replica, dict) and replica["state"] == "online" and replica["lag"] <= 1


@contextmanager
def group(directory: Path) -> Iterator[Group]:
    """A master that takes no writes without a replica."""
    options = ("--min-replicas-to-write", "1", "--min-replicas-max-lag", "2")
    with sentinels(directory / "redis", *DURABLE, *options) as (master, replica, watchers):
        found = Group([master, replica], watchers)
        found.wait_until_whole()
        time.sleep(1)
        yield found


@dataclass
class Cluster:
    """Three masters; one has the log's slot."""

    servers: list[RedisServer]
    sharded: bool = True
    forgetful: bool = False

    def url(self, hub: str) -> str:
        """All of them."""
        return cluster_url(self.servers)

    def owner(self) -> RedisServer:
        """Who has the log's slot, as any of those says who are there."""
        for server in self.servers:
            try:
                slot = server.do("CLUSTER", "KEYSLOT", LOG)
                slots = server.do("CLUSTER", "SLOTS")
            except redis.RedisError:
                continue
            ports = [master[1] for first, last, master, *_ in slots if first <= slot <= last]
            found = [one for one in self.servers if one.port in ports]
            if found:
                return found[0]
        raise redis.ConnectionError("nobody knows who has the slot")

    def wait_until_whole(self) -> None:
        """Return when every server says that all slots are served; blocks."""
        wait_for(lambda: all(map(_is_served, self.servers)), "the Cluster to be whole", 30.0)


def _is_served(server: RedisServer) -> bool:
    try:
        return "cluster_state:ok" in str(server.do("CLUSTER", "INFO"))
    except redis.RedisError:
        return False


@contextmanager
def clustered(directory: Path) -> Iterator[Cluster]:
    """A Cluster whose servers keep what they have acknowledged."""
    with cluster(directory / "redis", *DURABLE) as servers:
        yield Cluster(servers)
