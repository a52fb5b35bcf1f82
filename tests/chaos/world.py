"""Two hubs, their Redis, everybody who subscribes, and what is in the log in the end."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import redis

from tests.chaos import redis_subscriber, subscribers
from tests.chaos.hubs import HubProcess
from tests.chaos.load import Load
from tests.chaos.receiver import SUBSCRIPTIONS, Receiver, called_back, share
from tests.chaos.redises import LOG, Redises
from tests.chaos.subscribers import Place, Subscriber
from tests.chaos.timeline import Timeline

PAGE = 5000
WHOLE_SECONDS = 60.0
SILENCE_SECONDS = 15.0  # the callbacks of a hub that was killed rest for ten


class _Data(msgspec.Struct):
    after: str


class _Tail(msgspec.Struct):
    time: str
    data: _Data


class World:
    """
    Everything there is.

    Attributes:
        hubs: the replicas, `a` and `b`.
        redises: what they share.
        subscribers: all, callbacks included.
        receiver: who takes the callbacks.
        timeline: what was done to whom.
        dice: decides it.
    """

    def __init__(self, directory: Path, redises: Redises, seed: int) -> None:
        self.timeline = Timeline(directory / "timeline")
        self.timeline.note(f"seed {seed}")
        self.seed = seed
        self.dice = random.Random(seed)  # noqa: S311 - to be repeated
        self.redises = redises
        self.hubs = [HubProcess(name, directory, redises.url(name), self.timeline) for name in "ab"]
        self.subscribers: list[Subscriber] = []
        self.receiver = Receiver()

    def load(self, rate: float, copied: float) -> Load:
        """Forges that push to both hubs."""
        return Load(self.hubs, self.seed, rate, copied)

    async def log(self) -> list[tuple[Place, str]]:
        """Everything in the log: where, and which commit; asked until Redis answers."""
        async with asyncio.timeout(WHOLE_SECONDS):
            while True:
                try:
                    return await asyncio.to_thread(self._log)
                except (redis.RedisError, OSError):
                    await asyncio.sleep(0.1)

    async def commits(self) -> Iterable[str]:
        """The commits of everything in the log: what a look at every repository finds."""
        return {after for _, after in await self.log()}

    def _log(self) -> list[tuple[Place, str]]:
        found: list[tuple[Place, str]] = []
        start = "-"
        with self.redises.owner().client() as client:
            while page := client.xrange(LOG, start, count=PAGE):
                found += [_entry(entry_id, fields[b"m"]) for entry_id, fields in page]
                start = f"({page[-1][0].decode()}"
        return found

    async def wait_until_whole(self) -> float:
        """Return when both hubs have everything in the log; the seconds it took."""
        began = time.monotonic()
        states = {}
        while time.monotonic() < began + WHOLE_SECONDS:
            states = {hub.label: await hub.health() for hub in self.hubs}
            if all(state.get("status") == "ok" for state in states.values()):
                return time.monotonic() - began
            await asyncio.sleep(0.05)
        raise AssertionError(f"not whole after {WHOLE_SECONDS:g} s: {states}")

    async def wait_until_complete(self, load: Load) -> float:
        """Return when every subscriber knows everything, or hears nothing; the seconds it took."""
        began = heard_at = time.monotonic()
        heard = 0
        while any(missing(one, load) for one in self.subscribers):
            if (known := sum(len(one.known) for one in self.subscribers)) != heard:
                heard, heard_at = known, time.monotonic()
            if time.monotonic() > heard_at + SILENCE_SECONDS:
                break
            await asyncio.sleep(0.2)
        return time.monotonic() - began


def missing(subscriber: Subscriber, load: Load) -> list[str]:
    """The acknowledged commits that a subscriber wants and does not know of."""
    wanted = subscriber.repositories
    return [
        push.after
        for push in load.ledger.acknowledged()
        if (wanted is None or push.repository in wanted) and push.after not in subscriber.known
    ]


def _entry(entry_id: bytes, tail_text: bytes) -> tuple[Place, str]:
    epoch, _, position = entry_id.decode().partition("-")
    tail = msgspec.json.decode(b"{" + tail_text, type=_Tail)
    return (int(epoch), int(position)), tail.data.after


@asynccontextmanager
async def world(directory: Path, redises: Redises, seed: int) -> AsyncIterator[World]:
    """Both hubs answer, and every subscriber is told what comes from here on."""
    found = World(directory, redises, seed)
    async with AsyncExitStack() as stack:
        for hub in found.hubs:
            stack.callback(hub.end)
        await asyncio.gather(*(hub.start() for hub in found.hubs))
        await found.wait_until_whole()
        callbacks = [_subscriber(found, f"callback{n}", share(n)) for n in range(SUBSCRIPTIONS)]
        found.receiver = await stack.enter_async_context(called_back(callbacks, found.hubs[0]))
        tasks = await stack.enter_async_context(_cancelled())
        for number in range(2):
            dice = random.Random(f"{seed} {number}")  # noqa: S311 - to be repeated
            one = _subscriber(found, f"stream{number}")
            tasks.append(asyncio.create_task(subscribers.stream(one, found.hubs, dice)))
            one = _subscriber(found, f"poll{number}")
            tasks.append(asyncio.create_task(subscribers.long_poll(one, found.hubs, dice)))
        direct = _subscriber(found, "redis")
        tasks.append(asyncio.create_task(redis_subscriber.follow(direct, redises)))
        async with asyncio.timeout(10):
            await asyncio.gather(*(one.ready.wait() for one in found.subscribers))
        yield found


def _subscriber(found: World, name: str, repositories: frozenset[int] | None = None) -> Subscriber:
    subscriber = Subscriber(name, found.timeline, found.commits, repositories)
    found.subscribers.append(subscriber)
    return subscriber


@asynccontextmanager
async def _cancelled() -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks: list[asyncio.Task[None]] = []
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(result, asyncio.CancelledError) and result is not None:
                raise result
