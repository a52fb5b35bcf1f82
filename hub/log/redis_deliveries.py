"""
Deliveries in Redis: those that were accepted, and apart from them those refused.

    deliveries                 stream, ids `0-<number>`: d (JSON), c (JSON of how it came)
    payloads                   stream, ids `0-<number>`: b (what is kept of the payload)
    refusals                   hash: key → JSON
    refusals:<code>            sorted set of keys, by the time of the last
    refusals:newest            the same of all codes

The script that appends (`hub.log.redis_append`) writes the first two, together with the events.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import msgspec

from hub.log.delivered import ALL, SCANNED, Document, Wanted, listed, whole
from hub.log.readable import readable
from hub.log.redis_node import RedisNode, Script
from hub.log.refused import KEEP_REFUSALS, Refusal, decoded, encoded

MOST = 2**63 - 1
_NEWEST = "refusals:newest"
PIECE = 100  # deliveries that are decoded at once, for one of all who look: a millisecond
SCAN_COUNT = 200  # deliveries a step when old ones are looked for, once in a while

# KEYS refusals, refusals:<code>, refusals:newest; ARGV key, JSON, number, how many are kept.
_REFUSE = Script("""
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
local gone = redis.call('ZRANGE', KEYS[2], 0, -1 - ARGV[4])
for _, key in ipairs(gone) do
    redis.call('HDEL', KEYS[1], key)
    redis.call('ZREM', KEYS[2], key)
    redis.call('ZREM', KEYS[3], key)
end
return #gone
""")

_DECODE = msgspec.json.Decoder().decode
_Entry = tuple[bytes, list[bytes]]


class RedisDeliveries:
    """What is kept of deliveries in Redis. Every method raises LogUnavailable."""

    def __init__(self, node: RedisNode) -> None:
        self._node = node
        self._looking = asyncio.Lock()

    async def deliveries(
        self, limit: int, before: int | None, wanted: Wanted = ALL
    ) -> list[Document]:
        """Remembered deliveries older than number `before` (all when None), newest first."""
        newest = MOST if before is None else min(before - 1, MOST)
        piece = min(limit, PIECE) if wanted == ALL else PIECE
        found: list[Document] = []
        scanned = 0
        while newest > 0 and scanned < SCANNED and len(found) < limit:
            # In pieces, aside and in turn: deliveries are not to wait for those who search.
            async with self._looking:
                entries = await self._range("deliveries", f"0-{newest}", "0-1", piece)
                found += await asyncio.to_thread(_taken, entries, wanted)
            if not entries:
                break
            scanned += len(entries)
            newest = _number(entries[-1]) - 1
        return found[:limit]

    async def delivery(self, number: int) -> Document | None:
        """One remembered delivery with how it came, or None."""
        if not 0 < number <= MOST:
            return None
        found = await self._range("deliveries", f"0-{number}", f"0-{number}", 1)
        return next(iter(readable(_whole, found)), None)

    async def payload(self, number: int) -> bytes | None:
        """What is kept of a delivery's payload; None when nothing is, or is no longer."""
        if not 0 < number <= MOST:
            return None
        found = await self._range("payloads", f"0-{number}", f"0-{number}", 1)
        return next(iter(readable(_payload, found)), None)

    async def forget_before(self, moment: datetime) -> None:
        """Forget deliveries and refusals that are older."""
        while old := await self._older(moment):
            for name in ("deliveries", "payloads"):
                least = f"0-{old + 1}"
                await self._node.execute("XTRIM", self._node.keys(name), "MINID", "=", least)
        for refusal in await self.refusals(MOST, int(moment.timestamp() * 1e6)):
            await self._node.execute("HDEL", self._node.keys("refusals"), refusal.key)
            for name in (f"refusals:{refusal.code}", _NEWEST):
                await self._node.execute("ZREM", self._node.keys(name), refusal.key)

    async def refuse(self, refusals: Sequence[Refusal]) -> None:
        """Remember refused deliveries, equal ones as one."""
        key = self._node.keys("refusals")
        for refusal in refusals:
            stored = await self._node.execute("HGET", key, refusal.key)
            # Two hubs at once may lose a few of the count, and nothing else.
            earlier = readable(decoded, [stored] if stored else [])
            now = refusal.after(earlier[0]) if earlier else refusal
            names = (f"refusals:{now.code}", _NEWEST)
            keys = (key, *map(self._node.keys, names))
            await self._node.run(_REFUSE, keys, (now.key, encoded(now), now.number, KEEP_REFUSALS))

    async def refusals(self, limit: int, before: int | None) -> list[Refusal]:
        """Refusals older than number `before` (all when None), newest first."""
        most = "+inf" if before is None else f"({before}"
        keys = await self._node.execute(
            "ZREVRANGEBYSCORE", self._node.keys(_NEWEST), most, "-inf", "LIMIT", 0, limit
        )
        if not keys:
            return []
        stored = await self._node.execute("HMGET", self._node.keys("refusals"), *keys)
        return readable(decoded, [one for one in stored if one])

    async def _older(self, moment: datetime) -> int:
        """The last of the oldest deliveries that are all older; 0 when none is."""
        key = self._node.keys("deliveries")
        found = await self._node.execute("XRANGE", key, "-", "+", "COUNT", SCAN_COUNT)
        last = 0
        for entry in found:
            at = readable(lambda one: _delivery(one)["received_at"], [entry])
            if at and datetime.fromisoformat(at[0]) >= moment:
                break
            last = _number(entry)
        return last

    async def _range(self, name: str, newest: str, oldest: str, count: int) -> list[_Entry]:
        key = self._node.keys(name)
        found: list[_Entry] | None = await self._node.execute(
            "XREVRANGE", key, newest, oldest, "COUNT", count
        )
        return found or []


def _number(entry: _Entry) -> int:
    return int(entry[0].partition(b"-")[2])


def _fields(entry: _Entry) -> dict[bytes, bytes]:
    return dict(zip(entry[1][::2], entry[1][1::2], strict=True))


def _delivery(entry: _Entry) -> Document:
    return listed(_number(entry), _DECODE(_fields(entry)[b"d"]))


def _taken(entries: Sequence[_Entry], wanted: Wanted) -> list[Document]:
    return list(filter(wanted.takes, readable(_delivery, entries)))


def _whole(entry: _Entry) -> Document:
    return whole(_delivery(entry), _fields(entry).get(b"c"))


def _payload(entry: _Entry) -> bytes:
    return _fields(entry)[b"b"]
