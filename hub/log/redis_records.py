"""
What Redis keeps beside events, deliveries and reports: uses of secrets, heads, subscriptions.

The first two are written by the script that appends (`hub.log.redis_append`), together with the
events; here they are read.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from hub.log.readable import readable
from hub.log.redis_node import RedisNode, Script
from hub.log.redis_scanning import scanned
from hub.log.values import (
    Head,
    SecretUse,
    SubscriptionChanges,
    SubscriptionRow,
)

logger = logging.getLogger(__name__)

KEEP_CHANGES = 10_000  # changed subscriptions; a hub that lags behind reads all of them again

# Changes are a stream, and not a counter: the ids of a stream follow the clock, so that a change
# that a fail-over lost is never taken for another that was made instead of it.
_PUT = Script("""
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[4] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'id', ARGV[1])
return 1
""")
_DELETE = Script("""
if redis.call('HDEL', KEYS[1], ARGV[1]) == 1 then
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'id', ARGV[1])
end
return 1
""")
_ENCODE = msgspec.json.Encoder().encode
_ROW = msgspec.json.Decoder(SubscriptionRow)


class RedisRecords:
    """What is kept in Redis beside events. Every method raises LogUnavailable."""

    def __init__(self, node: RedisNode) -> None:
        self._node = node
        self._keys = keys = node.keys
        self._rows = keys("subscriptions")
        self._changes = keys("subscriptions:changes")
        self._seen = b"0-0"  # the newest change of subscriptions that this hub has heard of
        self._known: set[str] = set()
        self._unreadable: set[bytes] = set()

    async def secret_uses(self) -> list[SecretUse]:
        """Every remembered use of a secret."""
        counts, lasts = await asyncio.gather(self._hash("uses:count"), self._hash("uses:last"))
        return readable(lambda use: _use(use, counts[use], lasts.get(use, b"0")), counts)

    async def heads(self, subject_prefix: str, limit: int) -> list[Head]:
        """
        Where the refs whose subject begins so stand, by subject; any so many without a prefix.

        A deleted ref is there until its deletion's repeats are no longer recognised.
        """
        found: dict[bytes, bytes] = {}
        async for page in scanned(self._node, self._keys("heads"), subject_prefix):
            found.update(page)
            # Without a prefix it would be all there are, which may be a hundred thousand.
            if not subject_prefix and len(found) >= limit:
                break
        return readable(lambda subject: _head(subject, found[subject]), sorted(found))[:limit]

    async def subscription(self, subscription_id: str) -> SubscriptionRow | None:
        """One stored subscription."""
        stored = await self._node.execute("HGET", self._rows, subscription_id)
        return self._row(subscription_id.encode(), stored) if stored else None

    async def put_subscription(
        self, row: SubscriptionRow, replaces: SubscriptionRow | None
    ) -> bool:
        """Store a subscription if `replaces` is what is stored; whether it was."""
        # Compared by value here and by its bytes there: another version may write it otherwise.
        stored = await self._node.execute("HGET", self._rows, row.id)
        found = self._row(row.id.encode(), stored) if stored else None
        if _ENCODE(found) != _ENCODE(replaces):
            return False
        arguments = (row.id, _ENCODE(row), KEEP_CHANGES, stored or b"")
        done = bool(await self._node.run(_PUT, (self._rows, self._changes), arguments))
        if done:
            self._known.add(row.id)
        return done

    async def delete_subscription(self, subscription_id: str) -> None:
        """Forget a subscription."""
        arguments = (subscription_id, KEEP_CHANGES)
        await self._node.run(_DELETE, (self._rows, self._changes), arguments)
        self._known.discard(subscription_id)

    async def subscriptions(self) -> list[SubscriptionRow]:
        """Every stored subscription; changes are told from here on."""
        # In this order: what is changed in between is read here and told again later.
        newest = await self._node.execute("XREVRANGE", self._changes, "+", "-", "COUNT", 1)
        stored = await self._hash("subscriptions")
        self._seen = newest[0][0] if newest else b"0-0"
        self._known = {_text(subscription_id) for subscription_id in stored}
        rows = (self._row(key, row) for key, row in stored.items())
        return [row for row in rows if row]

    async def changed_subscriptions(self) -> SubscriptionChanges:
        """
        What was stored or deleted since the last call, or since `subscriptions`.

        When Redis no longer has the change that was heard of last (it was flushed, replaced by a
        replica that lacks it, or this hub lags too far behind), that is everything there is.
        """
        found = await self._node.execute("XRANGE", self._changes, self._seen, "+")
        if not found and self._seen == b"0-0" and not self._known:
            return SubscriptionChanges()
        if not found or found[0][0] != self._seen:
            return await self._everything()
        return await self._told(found[1:])

    async def _everything(self) -> SubscriptionChanges:
        known = self._known
        stored = await self.subscriptions()
        return SubscriptionChanges(tuple(stored), tuple(sorted(known - self._known)))

    async def _told(self, found: Sequence[Any]) -> SubscriptionChanges:
        if not found:
            return SubscriptionChanges()
        ids = list(dict.fromkeys(fields[1] for _, fields in found))
        rows = await self._node.execute("HMGET", self._rows, *ids)
        pairs = list(zip(ids, rows, strict=True))
        readable = (self._row(one, row) for one, row in pairs if row is not None)
        stored = tuple(row for row in readable if row)
        deleted = {_text(one) for one, row in pairs if row is None}
        self._seen = found[-1][0]
        self._known = (self._known | {row.id for row in stored}) - deleted
        return SubscriptionChanges(stored, tuple(sorted(deleted)))

    def _row(self, key: bytes, stored: bytes) -> SubscriptionRow | None:
        try:
            row = _ROW.decode(stored)
            if row.id.encode() == key and row.expires_at.tzinfo is not None:
                return row
            reason = "the id is another one, or the time has no zone"
        except msgspec.MsgspecError as error:
            reason = str(error)
        if key not in self._unreadable:  # once, and not at every look
            self._unreadable.add(key)
            keys = {"subscription": _text(key), "reason": reason}
            logger.error("subscription not readable, it is skipped", extra=keys)
        return None

    async def _hash(self, name: str) -> dict[bytes, bytes]:
        found = await self._node.execute("HGETALL", self._keys(name))
        return dict(zip(found[::2], found[1::2], strict=True))


def _use(use: bytes, count: bytes, last: bytes) -> SecretUse:
    source, mark = json.loads(use)
    return SecretUse(source, mark, _time(last), int(count))


def _text(some: bytes) -> str:
    return some.decode(errors="replace")


def _time(seconds: bytes) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)


def _head(subject: bytes, value: bytes) -> Head:
    seconds, after, _ = value.split(b"|", 2)
    return Head(subject.decode(), after.decode() or None, _time(seconds))
