"""
Stage reports in Redis, and the pushes that their traces began with.

    reports:<target>           stream: r (JSON)
    targets                    sorted set of targets, by the time of the last report (Redis's own)
    trace:<trace id>           <cursor>|<when it was stored>|<number of the delivery>

The script that appends (`hub.log.redis_append`) writes the last one.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from hub.log.readable import readable
from hub.log.redis_node import RedisNode, Script
from hub.log.values import Cursor, Origin, StageReport

KEEP_REPORTS = 1_000  # stage reports a target, about 400 bytes each
FORGET_REPORTS_SECONDS = 30 * 24 * 3600  # of a target that nobody reports about any more
MOST_TARGETS = 10_000  # whose names are known; anybody may report about any

# KEYS reports:<target>, targets, trace:<id>; ARGV how many are kept, JSON, how long, target, how
# many targets. The time is Redis's own, so that hubs whose clocks differ see the same order.
_REPORT = Script("""
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'r', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[2], now, ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - ARGV[5])
return redis.call('EXPIRE', KEYS[3], ARGV[3])
""")

_ENCODE = msgspec.json.Encoder().encode
_REPORT_DECODER = msgspec.json.Decoder(StageReport)


class _Pushed(msgspec.Struct):
    after: str | None


class _Notification(msgspec.Struct):
    """What is shown of the notification that a trace began with."""

    subject: str
    time: datetime
    data: _Pushed
    source: str = ""


_NOTIFICATION = msgspec.json.Decoder(_Notification)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the notification stands, since when, and the delivery it came with."""

    cursor: Cursor
    stored_at: datetime | None
    delivery: int | None


class RedisReports:
    """What is kept of reports in Redis. Every method raises LogUnavailable."""

    def __init__(self, node: RedisNode) -> None:
        self._node = node

    async def report(self, report: StageReport) -> None:
        """Remember one stage report."""
        names = (f"reports:{report.target}", "targets", f"trace:{report.trace_id}")
        arguments = (
            KEEP_REPORTS,
            _ENCODE(report),
            FORGET_REPORTS_SECONDS,
            report.target,
            MOST_TARGETS,
        )
        await self._node.run(_REPORT, [self._node.keys(name) for name in names], arguments)

    async def targets(self, limit: int) -> list[str]:
        """The targets that were reported about, the latest first."""
        found = await self._node.execute("ZRANGE", self._node.keys("targets"), 0, limit - 1, "REV")
        return [name.decode(errors="replace") for name in found]

    async def reported(self, since: float) -> dict[str, float]:
        """The targets that were reported about since a moment, with that of the newest report."""
        key = self._node.keys("targets")
        found = await self._node.execute("ZRANGE", key, since, "+inf", "BYSCORE", "WITHSCORES")
        scores = zip(found[::2], found[1::2], strict=True)
        return {name.decode(errors="replace"): float(score) for name, score in scores}

    async def reports(self, target: str, limit: int) -> list[StageReport]:
        """The newest reports about a target, oldest first."""
        key = self._node.keys(f"reports:{target}")
        found = await self._node.execute("XREVRANGE", key, "+", "-", "COUNT", limit)
        return readable(lambda entry: _REPORT_DECODER.decode(entry[1][1]), reversed(found or ()))

    async def origins(self, trace_ids: Collection[str]) -> dict[str, Origin]:
        """The pushes that traces began with, as far as they are remembered."""
        asked = list(trace_ids)
        if not asked:
            return {}
        keys = [self._node.keys(f"trace:{trace_id}") for trace_id in asked]
        texts = await self._node.execute("MGET", *keys)
        found = await asyncio.gather(*map(self._origin, texts))
        return {trace_id: origin for trace_id, origin in zip(asked, found, strict=True) if origin}

    async def _origin(self, text: bytes | None) -> Origin | None:
        places = readable(_place, [text.decode(errors="replace")] if text else [])
        if not places:
            return None
        [place] = places
        where = f"{place.cursor.epoch}-{place.cursor.position}"
        found = await self._node.execute("XRANGE", self._node.keys("log"), where, where)
        told = readable(lambda entry: _NOTIFICATION.decode(b"{" + entry[1][1]), found)
        if not told:
            return None
        [one] = told
        when = (one.time, place.stored_at, place.delivery)
        return Origin(one.subject, one.data.after, *when, one.source)


def _place(text: str) -> _Place:
    """
    What is remembered of a trace; earlier versions kept the cursor alone.

    Raises:
        ValueError: no hub wrote this.
    """
    written, _, rest = text.partition("|")
    cursor = Cursor.parse(written)
    if cursor is None:
        raise ValueError("no cursor")
    stored_at, _, number = rest.partition("|")
    at = datetime.fromtimestamp(float(stored_at), UTC) if stored_at else None
    return _Place(cursor, at, int(number or 0) or None)
