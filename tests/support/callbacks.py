"""Callbacks on a real log without a hub around them, with short pauses."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from itertools import count

from hub.callbacks.addresses import AddressPolicy
from hub.callbacks.sending import Sender
from hub.callbacks.timing import Timing
from hub.callbacks.tools import Tools
from hub.callbacks.worker import Callbacks
from hub.counting import Counts
from hub.http import Poster
from hub.log.base import Log
from hub.log.values import DeliveryRecord, NewEvent
from hub.rules import Subscription, make_callback
from hub.subscriptions import NewSubscription, Registry
from hub.wants import make_want

LOOPBACK = ip_network("127.0.0.0/8")
FAST = Timing(lease_seconds=1.0, first_pause_seconds=0.01, longest_pause_seconds=0.05)

Resolver = Callable[[str, int], Awaitable[list[str]]]

_numbers = count(1)


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


@dataclass
class Worker:
    """One hub's callbacks, and the registry it shares with nobody."""

    callbacks: Callbacks
    registry: Registry
    log: Log
    task: "asyncio.Task[None]"

    async def stop(self) -> None:
        """As a hub stops."""
        self.callbacks.stop()
        await self.task

    async def subscribe(self, name: str, url: str, repository: str = "shop") -> Subscription:
        """Subscribe a callback to one repository."""
        wants = (make_want(f"https://github.com/acme/{repository}"),)
        new = NewSubscription(
            name,
            wants,
            timedelta(hours=1),
            make_callback(url, ""),
            since=str(self.log.head),
        )
        return await self.registry.put(new, now())


@asynccontextmanager
async def worker(
    log: Log,
    timing: Timing = FAST,
    *,
    allowed: Sequence[str] = ("127.0.0.0/8",),
    resolve: Resolver | None = None,
) -> AsyncIterator[Worker]:
    """Callbacks that run until the block is left."""
    registry = Registry(log)
    await registry.refresh()
    policy = AddressPolicy(allow_private=False, allowed=[ip_network(one) for one in allowed])
    poster = Poster(policy.refusal, resolve)
    counts = Counts()
    sender = Sender(poster, now, counts)
    callbacks = Callbacks(
        Tools(log, registry, poster, sender, timing, now, "https://hub.test", counts)
    )
    task = asyncio.create_task(callbacks.run())
    found = Worker(callbacks, registry, log, task)
    try:
        yield found
    finally:
        await found.stop()


def pushed(repository: str = "shop") -> NewEvent:
    """A push of a commit that no other has."""
    after = f"{next(_numbers):040x}"
    key, ref = f"github.com/acme/{repository}", "refs/heads/main"
    data = {"repository": {"keys": [key]}, "ref": ref, "after": after}
    return NewEvent(
        event_id=f"{key} {after}",
        delivery_key="",
        subject=f"{key}#{ref}",
        before=None,
        after=after,
        keys=frozenset({key}),
        ref=ref,
        trace_id="0" * 32,
        tail=f'"data":{json.dumps(data)}}}'.encode(),
    )


async def push(log: Log, number: int = 1, repository: str = "shop") -> list[str]:
    """Append pushes; the commits they lead to."""
    events = [pushed(repository) for _ in range(number)]
    record = DeliveryRecord(now(), "github", "main", "", "push", "matched", {}, {})
    await log.append(record, events)
    return [str(event.after) for event in events]
