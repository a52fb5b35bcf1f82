"""
Everything that goes wrong: each fault begins, lasts a while and is healed.

Lanes run side by side, so that what happens to a hub and what happens to Redis meet; within a lane
one fault follows the other. Where fail-overs may lose what is not yet passed on, the hub that
acknowledged it must be there to say it again: there, one lane is all.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import redis

from tests.chaos.proxy import Proxy
from tests.chaos.redises import LOG, Cluster, Group, Single
from tests.chaos.world import World
from tests.support.redis_servers import RedisServer

Fault = Callable[[World], Awaitable[None]]
Lane = Sequence[Fault]

LONGEST_FREEZE_SECONDS = 4.0
MIGRATED_TOGETHER = 100
T = TypeVar("T")


async def run(world: World, lane: Lane, count: int, longest_pause_seconds: float) -> None:
    """So many faults of one lane, in an order that the world's dice decide."""
    waiting: list[Fault] = []
    for _ in range(count):
        if not waiting:  # every kind comes as often as any other
            waiting = world.dice.sample(lane, len(lane))
        fault = waiting.pop()
        with world.timeline.fault(_scope(fault), fault.__name__):
            await fault(world)
            await asyncio.to_thread(world.redises.wait_until_whole)
            if world.redises.forgetful:
                # Until the hubs are there, too, they alone may know what the old master took along.
                await world.wait_until_whole()
        await asyncio.sleep(world.dice.uniform(0, longest_pause_seconds))


def _scope(fault: Fault) -> str:
    return "hub" if fault.__name__.startswith("hub") else "redis"


async def _do(world: World, *command: str | int) -> None:
    """Tell the server that has the log; it may be gone before it answers."""
    with suppress(redis.RedisError):
        await asyncio.to_thread(lambda: world.redises.owner().do(*command))


async def _while(world: World, least_seconds: float, most_seconds: float) -> None:
    await asyncio.sleep(world.dice.uniform(least_seconds, most_seconds))


# --- a hub --------------------------------------------------------------------------------------


async def hub_is_killed(world: World) -> None:
    """SIGKILL, and a start some time later."""
    hub = world.dice.choice(world.hubs)
    await hub.kill()
    await _while(world, 0, 1)
    await hub.start()


async def hub_is_restarted(world: World) -> None:
    """SIGTERM, and a start."""
    hub = world.dice.choice(world.hubs)
    await hub.terminate()
    await hub.start()


async def hub_freezes(world: World) -> None:
    """SIGSTOP for a while."""
    hub = world.dice.choice(world.hubs)
    hub.freeze()
    try:
        await _while(world, 0.2, 3)
    finally:
        hub.thaw()


# --- any Redis ----------------------------------------------------------------------------------


async def redis_freezes(world: World) -> None:
    """SIGSTOP for up to four seconds."""
    server = await asyncio.to_thread(world.redises.owner)
    server.freeze()
    try:
        await _while(world, 0.2, LONGEST_FREEZE_SECONDS)
    finally:
        server.thaw()


async def redis_is_killed(world: World) -> None:
    """SIGKILL, and a start some time later."""
    server = await asyncio.to_thread(world.redises.owner)
    server.kill()
    await _while(world, 0, 2)
    await asyncio.to_thread(server.start)


async def redis_is_restarted(world: World) -> None:
    """SIGTERM, and a start."""
    server = await asyncio.to_thread(world.redises.owner)
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)


async def redis_kills_clients(world: World) -> None:
    """The connections for commands end."""
    await _do(world, "CLIENT", "KILL", "TYPE", "normal")


async def redis_kills_subscribers(world: World) -> None:
    """The connections for channels end."""
    await _do(world, "CLIENT", "KILL", "TYPE", "pubsub")


async def redis_pauses_all(world: World) -> None:
    """No command is answered for a while."""
    milliseconds = world.dice.randrange(200, 3_000)
    await _do(world, "CLIENT", "PAUSE", milliseconds, "ALL")
    await asyncio.sleep(milliseconds / 1000)


async def redis_pauses_writes(world: World) -> None:
    """No command that writes is answered for a while."""
    milliseconds = world.dice.randrange(200, 3_000)
    await _do(world, "CLIENT", "PAUSE", milliseconds, "WRITE")
    await asyncio.sleep(milliseconds / 1000)


async def redis_forgets_scripts(world: World) -> None:
    """SCRIPT FLUSH."""
    await _do(world, "SCRIPT", "FLUSH")


# --- the network before a single Redis ----------------------------------------------------------


async def redis_is_cut_off(world: World) -> None:
    """Every connection is reset; the next one is made."""
    for proxy in _proxies(world):
        proxy.cut()


async def redis_refuses_connections(world: World) -> None:
    """Nobody listens for a while."""
    proxies = _proxies(world)
    for proxy in proxies:
        proxy.refuse()
    await _while(world, 0.2, 3)
    for proxy in proxies:
        await proxy.heal()


async def redis_falls_silent(world: World) -> None:
    """Connections stay and nothing arrives for a while; then, all of it."""
    proxies = _proxies(world)
    for proxy in proxies:
        proxy.swallow()
    await _while(world, 0.5, LONGEST_FREEZE_SECONDS)
    for proxy in proxies:
        await proxy.heal()


def _proxies(world: World) -> list[Proxy]:
    assert isinstance(world.redises, Single)
    proxies = list(world.redises.proxies.values())
    return world.dice.choice([proxies[:1], proxies[1:], proxies])


# --- Sentinel -----------------------------------------------------------------------------------


async def redis_master_dies(world: World) -> None:
    """The replica takes its place; the old one comes back as the new one's replica."""
    group = _group(world)
    old = await asyncio.to_thread(group.owner)
    old.kill()
    await _until(lambda: group.has_left(old))
    await asyncio.to_thread(old.start)


async def redis_master_is_replaced(world: World) -> None:
    """SENTINEL FAILOVER: the old master takes writes until it is told."""
    group = _group(world)
    old = await asyncio.to_thread(group.owner)
    await _until(lambda: group.watchers[0].do("SENTINEL", "FAILOVER", "hub"))
    await _until(lambda: group.has_left(old))


async def redis_master_freezes(world: World) -> None:
    """So long that the replica takes its place; then it comes back believing in itself."""
    group = _group(world)
    old = await asyncio.to_thread(group.owner)
    old.freeze()
    try:
        await _while(world, 0.2, LONGEST_FREEZE_SECONDS)
    finally:
        old.thaw()


async def redis_replica_dies(world: World) -> None:
    """The master takes no writes until it is back."""
    group = _group(world)
    owner = await asyncio.to_thread(group.owner)
    [replica] = [server for server in group.servers if server is not owner]
    replica.kill()
    await _while(world, 0.5, 4)
    await asyncio.to_thread(replica.start)


def _group(world: World) -> Group:
    assert isinstance(world.redises, Group)
    return world.redises


async def _until(attempt: Callable[[], object], seconds: float = 30.0) -> None:
    """Try until it holds; a server that is away is one more reason to try again."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(_holds, attempt):
            await asyncio.sleep(0.05)


def _holds(attempt: Callable[[], object]) -> bool:
    try:
        return bool(attempt())
    except (redis.RedisError, StopIteration):
        return False


# --- Cluster ------------------------------------------------------------------------------------


async def redis_slot_moves(world: World) -> None:
    """With all its keys, as `redis-cli --cluster reshard` does it."""
    cluster = world.redises
    assert isinstance(cluster, Cluster)
    source = await asyncio.to_thread(cluster.owner)
    target = world.dice.choice([server for server in cluster.servers if server is not source])
    await asyncio.to_thread(_move, source, target, cluster.servers)


def _move(source: RedisServer, target: RedisServer, servers: list[RedisServer]) -> None:
    # https://redis.io/docs/latest/commands/cluster-setslot/
    slot = source.do("CLUSTER", "KEYSLOT", LOG)
    source_id, target_id = (server.do("CLUSTER", "MYID").decode() for server in (source, target))
    target.do("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
    source.do("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
    while keys := source.do("CLUSTER", "GETKEYSINSLOT", slot, MIGRATED_TOGETHER):
        to = ("127.0.0.1", target.port, "", 0, 5000)
        source.do("MIGRATE", *to, "REPLACE", "KEYS", *keys)
    others = [server for server in servers if server not in {source, target}]
    for server in (target, source, *others):
        server.do("CLUSTER", "SETSLOT", slot, "NODE", target_id)


HUBS: Lane = (hub_is_killed, hub_is_killed, hub_is_restarted, hub_freezes)
CLIENTS: Lane = (
    redis_kills_clients,
    redis_kills_subscribers,
    redis_pauses_all,
    redis_pauses_writes,
    redis_forgets_scripts,
)
SINGLE: Lane = (
    *CLIENTS,
    redis_freezes,
    redis_is_killed,
    redis_is_killed,
    redis_is_restarted,
    redis_is_cut_off,
    redis_refuses_connections,
    redis_falls_silent,
)
SENTINEL: Lane = (
    *CLIENTS,
    *HUBS,
    redis_master_dies,
    redis_master_dies,
    redis_master_is_replaced,
    redis_master_freezes,
    redis_replica_dies,
)
CLUSTER: Lane = (*CLIENTS, *(redis_slot_moves,) * 4, redis_freezes, redis_is_killed)
