"""
From Redis to the listeners: every event once, in order, or a Gap.

Pub/sub carries the events and loses some: a subscriber that is slow, cut off or deaf is not told.
So it is only the alarm bell. Positions are dense, a hole is seen at the next message, and the
stream's end is looked at every second besides; what is missing is read from the stream.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any

from hub.log.base import LogUnavailable
from hub.log.messages import event_of, message_of
from hub.log.redis_connection import REPLY_SECONDS, RedisConnection, RedisRefusal, ServerError
from hub.log.redis_node import RedisNode
from hub.log.values import Cursor, Event, Gap

logger = logging.getLogger(__name__)

PAGE = 500
LOOK_SECONDS = 1.0
DEAF_LOOKS = 2  # in a row; so long can a deaf subscription go unnoticed

EPOCH_DIGITS = 15
_TAG = re.compile(rb"[0-9a-f]{6}")
LAST = 2**64 - 1  # of a stream's ids
TOO_OLD = "the log no longer reaches back to the cursor"
ANOTHER = "the log is another one (was Redis flushed?): subscribers are told of a gap"

NOWHERE = Cursor(0, 0, 0)  # before the log was reached for the first time


class RedisReader:
    """Follows the stream; `head` is the newest event that was emitted."""

    def __init__(self, node: RedisNode, emit: Callable[[Sequence[Event] | Gap], None]) -> None:
        """
        Args:
            node: where the stream is.
            emit: told every event in order; `head` has moved already.
        """
        self._node = node
        self._emit = emit
        self._behind = asyncio.Event()
        self._subscription: RedisConnection | None = None
        self._confirmed: asyncio.Future[None] | None = None
        self._silent_looks = 0
        self.head = NOWHERE

    async def start(self) -> None:
        """
        Subscribe, then emit what was appended before.

        Raises:
            LogUnavailable: Redis does not let us, or is away.
        """
        self.stop()
        self._silent_looks = 0
        self._confirmed = asyncio.get_running_loop().create_future()
        self._subscription = await self._node.subscribe("events", self._hear)
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                await self._confirmed
        except TimeoutError as error:
            raise LogUnavailable("Redis did not answer the subscription") from error
        await self._catch_up()

    def stop(self, reason: str = "ended") -> None:
        """End the subscription; whoever keeps it is told the reason."""
        if self._subscription is not None:
            self._subscription.abort(reason)
            self._subscription = None

    async def keep(self) -> None:
        """
        Emit what is appended, for as long as it can be heard.

        Raises:
            LogUnavailable: always; it says why.
        """
        if self._subscription is None:
            raise LogUnavailable("Redis is not subscribed to")
        ends = (self._subscription.lost, self._node.lost)
        heard, look_at = self.head, _now() + LOOK_SECONDS
        while not any(end.done() for end in ends):
            await _wait(self._behind, ends, look_at - _now())
            if self._behind.is_set():
                await self._catch_up()
            if _now() >= look_at:
                heard, look_at = await self._look(heard), _now() + LOOK_SECONDS
        raise LogUnavailable(next(end.result() for end in ends if end.done()))

    async def _look(self, heard: Cursor) -> Cursor:
        await self._node.check_place()
        head = self.head
        newest = await newest_cursor(self._node)
        # A message may be on its way: only who heard nothing at all between looks is deaf.
        silent = newest not in {head, self.head} and self.head == heard
        self._silent_looks = self._silent_looks + 1 if silent else 0
        if self._silent_looks == DEAF_LOOKS:
            raise LogUnavailable("the subscription has fallen silent")
        return self.head

    def _hear(self, reply: Any) -> None:
        if isinstance(reply, ServerError):
            self._refused(RedisRefusal(str(reply)))
            return
        kind = reply[0] if isinstance(reply, list) else b""
        if kind in {b"message", b"smessage"}:
            self._take(reply[2])
        elif kind in {b"subscribe", b"ssubscribe"}:
            _settle(self._confirmed, None)
        elif kind in {b"unsubscribe", b"sunsubscribe"} and self._subscription is not None:
            self._subscription.abort("the slot has moved")

    def _refused(self, error: RedisRefusal) -> None:
        _settle(self._confirmed, error)
        if self._subscription is not None:
            self._subscription.abort(str(error))

    def _take(self, message: bytes) -> None:
        if self._behind.is_set():
            return  # it is in the stream, and will be read there in its order
        try:
            event = event_of(message)
        except ValueError:
            logger.warning("not a notification", extra={"start": repr(message[:80])})
            return
        head = self.head
        if event.cursor.epoch == head.epoch and event.cursor.position == head.position + 1:
            self.head = event.cursor
            self._emit([event])
        elif event.cursor != head:
            # A hole; or a position that was told already, by another log or one set back.
            self._behind.set()

    async def _catch_up(self) -> None:
        self._behind.clear()
        if self.head == NOWHERE:
            await self._begin()
            return
        while True:
            page = await read(self._node, self.head, PAGE)
            if isinstance(page, Gap):
                await self._jump(page)
                return
            # Messages have gone on arriving meanwhile.
            events = [event for event in page if event.cursor.position > self.head.position]
            if events:
                self.head = events[-1].cursor
                self._emit(events)
            if len(page) < PAGE:
                return

    async def _jump(self, gap: Gap) -> None:
        left = self.head
        self.head = await newest_cursor(self._node)
        if self.head.epoch != left.epoch:
            keys = {"before": str(left), "now": str(self.head)}
            logger.warning(ANOTHER, extra=keys)
        self._emit(gap)

    async def _begin(self) -> None:
        self.head = await newest_cursor(self._node)
        self._emit(Gap("the log was out of reach until now"))


async def read(node: RedisNode, after: Cursor, limit: int) -> list[Event] | Gap:
    """
    At most `limit` events that follow `after`, or why that cannot be told.

    Raises:
        LogUnavailable: Redis cannot be asked.
    """
    if await _epoch(node) != after.epoch:
        return Gap("this is another log than the one the cursor comes from")
    # From the cursor's own entry on: it must be there, and be the same.
    start = f"{after.epoch}-{max(after.position, 1)}"
    entries = await node.execute(
        "XRANGE", node.keys("log"), start, f"{after.epoch}-{LAST}",
        "COUNT", limit + bool(after.position),
    )  # fmt: skip
    places = [_cursor(entry) for entry in entries]
    if not after.position:
        whole = not places or places[0].position == 1
        return _events(entries) if whole else Gap(TOO_OLD)
    if not places:
        return Gap("the log was set back to an older state")
    if places[0].position != after.position:
        return Gap(TOO_OLD)
    if places[0].tag != after.tag:
        return Gap("the log was set back, and its positions were used again")
    return _events(entries[1:])


async def newest_cursor(node: RedisNode) -> Cursor:
    """
    The newest event's, or the beginning of an empty log.

    Raises:
        LogUnavailable: Redis cannot be asked.
    """
    epoch = await _epoch(node)
    if epoch is None:
        return NOWHERE
    # Whatever lies above or below our epoch was put there by somebody else.
    entries = await node.execute(
        "XREVRANGE", node.keys("log"), f"{epoch}-{LAST}", f"{epoch}-0", "COUNT", 1
    )
    return _cursor(entries[0]) if entries else Cursor(epoch, 0, 0)


async def _epoch(node: RedisNode) -> int | None:
    found = await node.execute("GET", node.keys("epoch"))
    return int(found) if found and found.isdigit() and len(found) <= EPOCH_DIGITS else None


def _values(entry: list[Any]) -> dict[bytes, bytes]:
    return dict(zip(entry[1][::2], entry[1][1::2], strict=True))


def _cursor(entry: list[Any]) -> Cursor:
    epoch, _, position = entry[0].decode().partition("-")
    tag = _values(entry).get(b"t", b"")
    # An entry that no hub wrote has a place all the same: readers must get past it.
    return Cursor(int(epoch), int(position), int(tag, 16) if _TAG.fullmatch(tag) else 0)


def _events(entries: list[Any]) -> list[Event] | Gap:
    try:
        return [event_of(message_of(_cursor(one), _values(one)[b"m"])) for one in entries]
    except (KeyError, ValueError):
        return Gap("the log holds an entry that no hub wrote")


async def _wait(event: asyncio.Event, ends: Sequence[asyncio.Future[str]], seconds: float) -> None:
    """Wait until the event is set, or any of the futures is done, or the time is over."""
    waiting: asyncio.Future[Any] = asyncio.create_task(event.wait(), name="behind in Redis")
    all_of_them: list[asyncio.Future[Any]] = [waiting, *ends]
    try:
        await asyncio.wait(
            all_of_them, timeout=max(seconds, 0), return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        waiting.cancel()


def _settle(future: "asyncio.Future[None] | None", error: Exception | None) -> None:
    if future is None or future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _now() -> float:
    return asyncio.get_running_loop().time()
