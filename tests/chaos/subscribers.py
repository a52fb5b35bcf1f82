"""Whoever wants to hear of every push, over each of the ways that the hub offers."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import httpx
import msgspec

from tests.chaos.hubs import HubProcess
from tests.chaos.timeline import Timeline

AGAIN_SECONDS = 0.05
SILENCE_SECONDS = 20.0  # a stream is pinged every 15 s
POLL_SECONDS = 20

Place = tuple[int, int]
"""Epoch and position."""


class _Data(msgspec.Struct):
    after: str | None


class _Message(msgspec.Struct):
    id: str
    data: _Data


decode = msgspec.json.Decoder(_Message).decode


class _Page(msgspec.Struct):
    cursor: str
    gap: str | None
    events: list[_Message]


def place(cursor: str) -> Place:
    """Where a cursor points."""
    epoch, position, *_ = cursor.split("-")
    return int(epoch), int(position)


@dataclass(slots=True)
class Receipt:
    """One event as it was received."""

    place: Place
    after: str
    at: float
    by: str


@dataclass(slots=True)
class GapSeen:
    """A gap: who told it, why, and from where the subscriber wanted to go on."""

    at: float
    by: str
    reason: str
    behind: str


@dataclass
class Subscriber:
    """
    What one subscriber has heard.

    Attributes:
        name: for people.
        look: looks at everything once; the commits that are found.
        repositories: those it wants; None is all.
        looked: what it found when it looked at everything after a gap.
        ready: it is told everything from here on.
    """

    name: str
    timeline: Timeline
    look: Callable[[], Awaitable[Iterable[str]]]
    repositories: frozenset[int] | None = None
    receipts: list[Receipt] = field(default_factory=list)
    gaps: list[GapSeen] = field(default_factory=list)
    looked: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    cursor: str = ""

    def take(self, message: _Message, by: str) -> None:
        """An event."""
        after = message.data.after or ""
        self.receipts.append(Receipt(place(message.id), after, time.monotonic(), by))
        self.known.add(after)

    async def gap(self, reason: str, by: str) -> None:
        """Something may have been missed: look at everything."""
        self.gaps.append(GapSeen(time.monotonic(), by, reason, self.cursor))
        self.timeline.note(f"{self.name} is told a gap by {by}: {reason}")
        self.looked.update(await self.look())
        self.known |= self.looked


async def stream(me: Subscriber, hubs: list[HubProcess], dice: random.Random) -> None:
    """Follow the server-sent events of any hub, for ever."""
    async with httpx.AsyncClient(timeout=SILENCE_SECONDS, trust_env=False) as http:
        while True:
            hub = dice.choice(hubs)
            try:
                await _stream_once(me, http, hub)
            except httpx.HTTPError as error:
                me.timeline.note(f"{me.name} at {hub.name}: {error!r}")
            await asyncio.sleep(AGAIN_SECONDS)


async def _stream_once(me: Subscriber, http: httpx.AsyncClient, hub: HubProcess) -> None:
    headers = {"accept": "text/event-stream"}
    if me.cursor:
        headers["last-event-id"] = me.cursor
    target = f"http://127.0.0.1:{hub.port}/v1/events"
    async with http.stream("GET", target, headers=headers) as answer:
        by = hub.label
        if answer.status_code != 200:
            return
        async for block in _blocks(answer):
            await _hear(me, block, by)


async def _hear(me: Subscriber, block: dict[str, str], by: str) -> None:
    kind = block.get("event")
    if kind == "gap":
        await me.gap(block["data"], by)
    elif kind is None and "data" in block:
        me.take(decode(block["data"]), by)
    if "id" in block:
        me.cursor = block["id"]
        me.ready.set()


async def _blocks(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    block: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if not line:
            if block:
                yield block
            block = {}
            continue
        name, _, value = line.partition(":")
        if name:
            block[name] = value.removeprefix(" ")


async def long_poll(me: Subscriber, hubs: list[HubProcess], dice: random.Random) -> None:
    """Follow the long polls of any hub, for ever."""
    async with httpx.AsyncClient(timeout=POLL_SECONDS + 10, trust_env=False) as http:
        while True:
            if not await _polled(me, http, dice.choice(hubs)):
                await asyncio.sleep(AGAIN_SECONDS)


async def _polled(me: Subscriber, http: httpx.AsyncClient, hub: HubProcess) -> bool:
    try:
        return await _poll_once(me, http, hub)
    except httpx.HTTPError:
        return False


async def _poll_once(me: Subscriber, http: httpx.AsyncClient, hub: HubProcess) -> bool:
    asked = {"after": me.cursor, "timeout": str(POLL_SECONDS)} if me.cursor else {}
    by = hub.label
    answer = await http.get(f"http://127.0.0.1:{hub.port}/v1/events", params=asked)
    if answer.status_code not in {200, 204}:
        return False
    if answer.status_code == 200:
        page = msgspec.json.decode(answer.content, type=_Page)
        for message in page.events:
            me.take(message, by)
        if page.gap is not None:
            await me.gap(page.gap, by)
    me.cursor = answer.headers["x-directcd-cursor"]
    me.ready.set()
    return True
