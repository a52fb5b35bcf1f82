"""
The script that appends: everything about one delivery in one step that is done or not done.

Nothing counts beside the stream itself (a torn end of Redis's own file would leave counters ahead
of it): the stream's ids are the positions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from hub.log.redis_connection import Argument
from hub.log.redis_keys import Keys
from hub.log.redis_node import Script
from hub.log.values import Appended, Cursor, DeliveryRecord, NewEvent, tag_of

BATCH = 500  # events a call: some milliseconds in which Redis serves nobody else

# Stored at `heads`: "<unix seconds>|<after or nothing>|<cursor>". At `seen:…` and `done:…`:
# "<unix seconds until which it counts>|<cursor>". A stream's own clock would not do: what was
# spooled is as old as the moment it was received.

# The first id of a stream ends in 0, the first position is 1: position 0 is before everything. An
# epoch is above the one before it and above whatever somebody else put into the stream, up to what
# a cursor can hold: a stream that ends beyond that takes nothing any more, and is put aside.
_BIRTH = """
local function top_of(log)
    if redis.call('EXISTS', log) == 0 then return 0 end
    local about = redis.call('XINFO', 'STREAM', log)
    for at = 1, #about, 2 do
        if about[at] == 'last-generated-id' then
            return tonumber(string.match(about[at + 1], '^%d+'))
        end
    end
    return 0
end

local function epoch_in(epochs)
    local epoch = redis.call('GET', epochs)
    if epoch and #epoch <= 15 and string.match(epoch, '^%d+$') then return epoch end
    return nil
end

local function begin(log, epochs, birth)
    local most, older, top = 999999999999999, tonumber(epoch_in(epochs) or '0'), top_of(log)
    if math.max(older, top) >= most and redis.call('EXISTS', log) == 1 then
        redis.call('RENAME', log, log .. ':unusable')
        top = 0
    end
    if older >= most then older = 0 end
    birth = string.format('%.0f', math.max(tonumber(birth), older + 1, top + 1))
    redis.call('SET', epochs, birth)
    redis.call('XDEL', log, redis.call('XADD', log, birth .. '-0', 'm', ''))
    return birth
end

local function epoch_of(log, epochs, birth)
    local epoch = epoch_in(epochs)
    if epoch and redis.call('EXISTS', log) == 1 then return epoch end
    return begin(log, epochs, birth)
end
"""

BEGIN = Script(f"{_BIRTH} return epoch_of(KEYS[1], KEYS[2], ARGV[1])")

APPEND = Script(
    _BIRTH
    + """
local log, heads, deliveries, counts, lasts, epochs, channel, gone, payloads = unpack(KEYS)
local prefix, publish, nonce, late, now, received, window, keep_events, keep_deliveries,
    birth, use, news, repeated, before_new, details, payload, keep_payloads, stored =
    unpack(ARGV, 1, 18)
now, received, window = tonumber(now), tonumber(received), tonumber(window)
local memory = math.max(math.ceil(window), 600)

if redis.call('EXISTS', prefix .. 'done:' .. nonce) == 1 then
    return {0, 1}
end

-- Whatever is of another type than ours fails here, before anything is written.
for _, hash in ipairs({heads, counts, lasts}) do redis.call('HLEN', hash) end
redis.call('XLEN', deliveries)
redis.call('ZCARD', gone)

local epoch = epoch_of(log, epochs, birth)

local function known(key)
    local value = redis.pcall('GET', prefix .. 'seen:' .. key)
    if type(value) ~= 'string' then return nil end  -- none, or somebody put another type there
    local till, cursor = string.match(value, '^([^|]*)|(.*)$')
    if (tonumber(till) or 0) > now then return cursor end
    return nil
end

local function moves_head(subject, before, after)
    local head = redis.call('HGET', heads, subject)
    if not head then return true end
    local stands = string.match(head, '^[^|]*|([^|]*)|')
    if not stands then return true end
    if stands == after then return false end
    return before == '' or stands == before
end

local function repeat_of(event_id, delivery_key, subject, before, after)
    if delivery_key ~= '' then
        local cursor = known(delivery_key)
        if cursor then return cursor end
    end
    local cursor = known(event_id)
    if cursor and not moves_head(subject, before, after) then return cursor end
    return nil
end

local function remember(cursor, event_id, delivery_key, subject, after, unsaid)
    if window > 0 then
        local value = string.format('%.3f', now + window) .. '|' .. cursor
        redis.call('SET', prefix .. 'seen:' .. event_id, value, 'EX', memory)
        if delivery_key ~= '' then
            redis.call('SET', prefix .. 'seen:' .. delivery_key, value, 'EX', memory)
        end
    end
    if late == '1' then
        local head = redis.call('HGET', heads, subject)
        if head and (tonumber(string.match(head, '^[^|]*')) or 0) > received then return end
    end
    if unsaid == '1' then
        redis.call('HDEL', heads, subject)
        return
    end
    local stands = string.format('%.3f', received) .. '|' .. after .. '|' .. cursor
    redis.call('HSET', heads, subject, stands)
    if after == '' then redis.call('ZADD', gone, now, subject) end
end

-- The head of a deleted ref tells its deletion's repeats; when those are news again, it may go.
local function forget_gone()
    local old = redis.call('ZRANGEBYSCORE', gone, '-inf', now - memory, 'LIMIT', 0, 20)
    for _, subject in ipairs(old) do
        local head = redis.call('HGET', heads, subject)
        if head and string.match(head, '^[^|]*||') then redis.call('HDEL', heads, subject) end
        redis.call('ZREM', gone, subject)
    end
end

local function try(tail, tag)
    return redis.pcall('XADD', log, 'MAXLEN', '~', keep_events, epoch .. '-*', 'm', tail, 't', tag)
end

-- Whether an entry of somebody else's is above ours, or leaves a cursor no room.
local function is_blocked(id)
    if type(id) == 'string' then return #id > #epoch + 19 end
    return string.find(id.err, 'equal or smaller') or string.find(id.err, 'exhausted')
end

local function add(tail, tag)
    local id = try(tail, tag)
    if is_blocked(id) then  -- the log goes on as another one: it must never stop for good
        if type(id) == 'string' then redis.call('XDEL', log, id) end
        epoch = begin(log, epochs, birth)
        id = try(tail, tag)
    end
    if type(id) == 'table' then error(id) end
    return id
end

-- They are much larger than the rest, and fewer are kept.
local function remember_payload(id)
    if payload == '' then return end
    local added = redis.pcall('XADD', payloads, 'MAXLEN', '~', keep_payloads, id, 'b', payload)
    if type(added) == 'table' then  -- the numbers began again, or it is of another type
        redis.call('DEL', payloads)
        redis.call('XADD', payloads, id, 'b', payload)
    end
end

local function remember_delivery(document)
    local id = redis.pcall(
        'XADD', deliveries, 'MAXLEN', '~', keep_deliveries, '0-*', 'd', document, 'c', details
    )
    if type(id) == 'table' then  -- as above; what they were is no reason to refuse a push
        redis.call('RENAME', deliveries, deliveries .. ':unusable')
        id = redis.call('XADD', deliveries, '0-*', 'd', document, 'c', details)
    end
    remember_payload(id)
    return tonumber(string.match(id, '%d+$'))
end

forget_gone()

local cursors, traces, new = {}, {}, before_new == '1'
for at = 19, #ARGV, 9 do
    local event_id, delivery_key, subject, before, after, unsaid, trace, tag, tail =
        unpack(ARGV, at, at + 8)
    local cursor = repeat_of(event_id, delivery_key, subject, before, after)
    if not cursor then
        new = true
        cursor = add(tail, tag) .. '-' .. tag
        remember(cursor, event_id, delivery_key, subject, after, unsaid)
        traces[trace] = cursor
        redis.call(publish, channel, '{"specversion":"1.0","id":"' .. cursor .. '",' .. tail)
    end
    cursors[#cursors + 1] = cursor
end

local duplicate = #cursors > 0 and not new
local number = 0
if news ~= '' then
    number = remember_delivery(duplicate and repeated or news)
    local uses = tonumber(redis.call('HGET', counts, use) or '0') or 0
    redis.call('HSET', counts, use, string.format('%.0f', uses + 1))
    if (tonumber(redis.call('HGET', lasts, use) or '0') or 0) < received then
        redis.call('HSET', lasts, use, string.format('%.6f', received))
    end
end
for trace, cursor in pairs(traces) do  -- those that are reported about are kept for longer
    local origin = string.format('%s|%s|%.0f', cursor, stored, number)
    redis.call('SET', prefix .. 'trace:' .. trace, origin, 'EX', 21600)
end
redis.call('SET', prefix .. 'done:' .. nonce, '1', 'EX', math.max(memory, 86400))
return {number, duplicate and 1 or 0, unpack(cursors)}
"""
)

_ENCODE = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept, and for how many seconds repeats are recognised."""

    events: int
    deliveries: int
    payloads: int
    deduplication_seconds: float


@dataclass(frozen=True, slots=True)
class Moment:
    """
    When something is appended, in Unix seconds.

    Attributes:
        now: by which repeats are told: when it was received, or later if it comes late.
        stored: what the clock says.
        late: whether that is later than it was received.
    """

    now: float
    stored: float
    late: bool = False


def calls(events: Sequence[NewEvent]) -> Iterator[tuple[Sequence[NewEvent], bool]]:
    """The events of each call that a delivery takes (mostly one), and whether it is the last."""
    for start in range(0, max(len(events), 1), BATCH):
        yield events[start : start + BATCH], start + BATCH >= len(events)


def keys_of(keys: Keys) -> list[str]:
    """The script's keys; what it makes of the prefix besides lies in the same slot."""
    names = (
        "log",
        "heads",
        "deliveries",
        "uses:count",
        "uses:last",
        "epoch",
        "events",
        "heads:gone",
        "payloads",
    )
    return [keys(name) for name in names]


@dataclass(frozen=True, slots=True)
class Appender:
    """Makes the script's arguments, and values of its replies."""

    keys: Keys
    limits: Limits
    publish: str

    def arguments(
        self,
        record: DeliveryRecord,
        events: Sequence[NewEvent],
        moment: Moment,
        *,
        last: bool,
        part: int,
        before_new: bool,
    ) -> list[Argument]:
        """The arguments of one call; only the last one of a delivery remembers the delivery."""
        news, repeated = (
            _document(record, repeat=repeat) if last else b"" for repeat in (False, True)
        )
        arguments: list[Argument] = [
            self.keys(""),
            self.publish,
            f"{record.nonce}.{part}",
            int(moment.late),
            f"{moment.now:.6f}",
            f"{record.received_at.timestamp():.6f}",
            self.limits.deduplication_seconds,
            self.limits.events,
            self.limits.deliveries,
            int(moment.now * 1000),
            _ENCODE([record.source, record.secret_mark]),
            news,
            repeated,
            int(before_new),
            record.details if last else b"",
            record.payload if last else b"",
            self.limits.payloads,
            f"{moment.stored:.3f}",
        ]
        for event in events:
            arguments += _event(event)
        return arguments


def appended(replies: Sequence[Sequence[int | bytes]]) -> Appended:
    """What became of a delivery, by the replies of its calls."""
    number, duplicate = replies[-1][:2]
    cursors = [str(text, "ascii") for reply in replies for text in reply[2:]]  # type: ignore[arg-type]
    found = tuple(cursor for cursor in map(Cursor.parse, cursors) if cursor)
    return Appended(int(number), found, duplicate=bool(duplicate))


def _document(record: DeliveryRecord, *, repeat: bool) -> bytes:
    return _ENCODE(
        {
            "received_at": record.received_at.isoformat(),
            "provider": record.provider,
            "source": record.source,
            "delivery_id": record.delivery_id,
            "event": record.event,
            "verdict": "duplicate" if repeat else record.verdict,
            "signed_by": record.signed_by,
            "explanation": record.repeat_explanation if repeat else record.explanation,
        }
    )


def _event(event: NewEvent) -> tuple[Argument, ...]:
    return (
        event.event_id,
        event.delivery_key,
        event.subject,
        event.before or "",
        event.after or "",
        int(event.unsaid),
        event.trace_id,
        f"{tag_of(event.event_id):06x}",
        event.tail,
    )
