"""
Callbacks in Redis: leases, progress and dead letters, shared by every hub on the log.

    lease:<name>               "<fence> <owner>", for as long as the lease lasts
    lease-fences               hash: name → the newest fence
    callback-progress          hash: subscription → JSON
    dead-letters               stream, ids `1-<number>`: s, c, m, r, t
    dead-letters:number        the newest number
    dead-letters:of:<id>       set: the numbers of one subscription's
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hub.log.readable import readable
from hub.log.redis_connection import Argument
from hub.log.redis_node import RedisNode, Script
from hub.log.values import DeadLetter, Lease

KEEP_DEAD_LETTERS = 10_000

# KEYS lease, fences; ARGV name, owner, milliseconds. The fence grows with the server's clock, too:
# it must not begin again at 1 after the server has lost its memory.
_TAKE = Script("""
local held = redis.call('GET', KEYS[1])
local fence
if held then
  local owner
  fence, owner = string.match(held, '^(%d+) (.*)$')
  if owner ~= ARGV[2] then return nil end
else
  local time = redis.call('TIME')
  local last = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  fence = string.format('%.0f', math.max(last + 1, now))
  redis.call('HSET', KEYS[2], ARGV[1], fence)
end
redis.call('SET', KEYS[1], fence .. ' ' .. ARGV[2], 'PX', ARGV[3])
return tonumber(fence)
""")

_RELEASE = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
""")

# KEYS fences, progress; ARGV lease's name, fence, subscription, value
_SAVE = Script("""
local newest = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if newest > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
return 1
""")

# KEYS progress, letters, numbers of the subscription, fences; ARGV subscription
_FORGET = Script("""
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
for _, number in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  redis.call('XDEL', KEYS[2], '1-' .. number)
end
redis.call('DEL', KEYS[3])
return 1
""")

# KEYS letters, number, numbers of the subscription; ARGV keep, subscription, cursor, message,
# reason, time, beginning of the keys of numbers
_BURY = Script("""
local number = redis.call('INCR', KEYS[2])
redis.call('XADD', KEYS[1], '1-' .. number,
  's', ARGV[2], 'c', ARGV[3], 'm', ARGV[4], 'r', ARGV[5], 't', ARGV[6])
redis.call('SADD', KEYS[3], number)
local over = redis.call('XLEN', KEYS[1]) - tonumber(ARGV[1])
if over > 0 then
  for _, oldest in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', over)) do
    redis.call('SREM', ARGV[7] .. oldest[2][2], string.match(oldest[1], '%d+$'))
    redis.call('XDEL', KEYS[1], oldest[1])
  end
end
return number
""")

# KEYS letters; ARGV number, beginning of the keys of numbers
_REMOVE = Script("""
local place = '1-' .. ARGV[1]
local letter = redis.call('XRANGE', KEYS[1], place, place)[1]
if not letter then return 0 end
redis.call('SREM', ARGV[2] .. letter[2][2], ARGV[1])
return redis.call('XDEL', KEYS[1], place)
""")


class RedisCallbacks:
    """The `CallbackStore` protocol over one Redis; every method raises LogUnavailable."""

    def __init__(self, node: RedisNode) -> None:
        self._node = node
        self._keys = node.keys

    async def lease(self, name: str, owner: str, seconds: float) -> Lease | None:
        """Take or renew a lease for `seconds` from now; None while somebody else has it."""
        keys = [self._keys(f"lease:{name}"), self._keys("lease-fences")]
        fence = await self._node.run(_TAKE, keys, [name, owner, max(1, round(seconds * 1000))])
        return None if fence is None else Lease(name, owner, fence)

    async def release(self, lease: Lease) -> None:
        """Give a lease back early; one that is no longer held is no error."""
        held = f"{lease.fence} {lease.owner}"
        await self._node.run(_RELEASE, [self._keys(f"lease:{lease.name}")], [held])

    async def progress(self, subscription_id: str) -> dict[str, Any] | None:
        """What was last saved for a subscription."""
        found = await self._node.execute("HGET", self._keys("callback-progress"), subscription_id)
        value: dict[str, Any] | None = None if found is None else json.loads(found)
        return value

    async def save_progress(
        self, lease: Lease, subscription_id: str, value: dict[str, Any]
    ) -> bool:
        """Save unless somebody with a later fence has the lease; whether it was saved."""
        keys = [self._keys("lease-fences"), self._keys("callback-progress")]
        arguments: list[Argument] = [lease.name, lease.fence, subscription_id, json.dumps(value)]
        return bool(await self._node.run(_SAVE, keys, arguments))

    async def forget_progress(self, subscription_id: str) -> None:
        """Forget a subscription's progress and its dead letters."""
        names = ("callback-progress", "dead-letters", f"dead-letters:of:{subscription_id}")
        keys = [self._keys(name) for name in (*names, "lease-fences")]
        await self._node.run(_FORGET, keys, [subscription_id])

    async def bury(self, letter: DeadLetter) -> int:
        """Keep a dead letter (the newest 10,000 are kept); its number."""
        names = ("dead-letters", "dead-letters:number", f"dead-letters:of:{letter.subscription_id}")
        arguments: list[Argument] = [
            KEEP_DEAD_LETTERS,
            letter.subscription_id,
            letter.cursor,
            letter.message,
            letter.reason,
            repr(letter.buried_at.timestamp()),
            self._keys("dead-letters:of:"),
        ]
        return int(await self._node.run(_BURY, [self._keys(name) for name in names], arguments))

    async def dead_letters(self, limit: int, before: int | None) -> list[DeadLetter]:
        """The newest dead letters, newest first, older than number `before`."""
        newest = "+" if before is None else f"(1-{before}"
        found = await self._node.execute(
            "XREVRANGE", self._keys("dead-letters"), newest, "-", "COUNT", limit
        )
        return readable(_letter, found)

    async def dead_letter(self, number: int) -> DeadLetter | None:
        """One dead letter."""
        place = f"1-{number}"
        found = await self._node.execute("XRANGE", self._keys("dead-letters"), place, place)
        letters = readable(_letter, found)
        return letters[0] if letters else None

    async def remove_dead_letter(self, number: int) -> bool:
        """Forget a dead letter; False when it was not known."""
        arguments: list[Argument] = [number, self._keys("dead-letters:of:")]
        return bool(await self._node.run(_REMOVE, [self._keys("dead-letters")], arguments))


def _letter(entry: Sequence[Any]) -> DeadLetter:
    place, flat = entry
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    return DeadLetter(
        number=int(place.partition(b"-")[2]),
        subscription_id=fields[b"s"].decode(),
        cursor=fields[b"c"].decode(),
        message=fields[b"m"],
        reason=fields[b"r"].decode(),
        buried_at=datetime.fromtimestamp(float(fields[b"t"]), UTC),
    )
