"""
The shared log: Redis 7 or Valkey, single, behind Sentinel, or a Cluster; any number of hubs on it.

A stream is the log, a channel wakes whoever listens, one script appends.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hub.log.base import (
    Appended,
    Cursor,
    DeliveryRecord,
    Event,
    Gap,
    Listener,
    LogUnavailable,
    NewEvent,
    News,
    tell,
)
from hub.log.redis_address import RedisAddress
from hub.log.redis_append import APPEND, BEGIN, Appender, Limits, Moment, appended, calls, keys_of
from hub.log.redis_callbacks import RedisCallbacks
from hub.log.redis_node import RedisNode
from hub.log.redis_reader import read
from hub.log.redis_records import RedisRecords
from hub.log.redis_session import RedisSession

OUTBOX_SECONDS = 60.0  # a fail-over loses what the old master had not passed on; seconds at most
OUTBOX_DELIVERIES = 20_000  # about 1.5 KB each
TOGETHER = 256  # of them on their way at once


@dataclass(frozen=True, slots=True)
class _Acknowledged:
    """A delivery that is in the log, if the log is still the same."""

    at: float
    record: DeliveryRecord
    events: Sequence[NewEvent]


class RedisLog(RedisCallbacks, RedisRecords):
    """The `Log` protocol over Redis."""

    def __init__(
        self,
        address: RedisAddress,
        *,
        keep_events: int = 100_000,
        keep_deliveries: int = 10_000,
        deduplication_seconds: float = 600.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._node = RedisNode(address)
        RedisCallbacks.__init__(self, self._node)
        RedisRecords.__init__(self, self._node)
        self._appender = Appender(
            self._node.keys,
            Limits(keep_events, keep_deliveries, deduplication_seconds),
            "SPUBLISH" if self._node.sharded else "PUBLISH",
        )
        self._append_keys = keys_of(self._node.keys)
        self._clock = clock
        self._listeners: list[Listener] = []
        self._session = RedisSession(
            self._node, self._emit, prepare=self._prepare, recover=self._append_again
        )
        self._outbox: deque[_Acknowledged] = deque()

    async def open(self) -> None:
        """
        Connect; when Redis is away, go on trying.

        Raises:
            LogUnfit: Redis is there, and cannot be used as it is set up.
        """
        await self._session.open()

    @property
    def address(self) -> RedisAddress:
        """Where it is."""
        return self._node.address

    @property
    def head(self) -> Cursor:
        """The newest event published to listeners."""
        return self._session.reader.head

    def listen(self, listener: Listener) -> None:
        """Call `listener` on the event loop with every batch of new events, in order."""
        self._listeners.append(listener)

    async def append(self, delivery: DeliveryRecord, events: Sequence[NewEvent]) -> Appended:
        """
        Store a delivery, its events and the use of its secret.

        A delivery of more than 500 refs takes several steps; when a later one fails, the earlier
        events were told, and are repeats when the delivery is sent again.

        Raises:
            LogUnavailable: Redis did not say that it is done; the same again is no second time.
        """
        moment = Moment(delivery.received_at.timestamp())
        return await self._accept(delivery, events, moment)

    async def append_late(self, delivery: DeliveryRecord, events: Sequence[NewEvent]) -> Appended:
        """Append what was received some time ago, unless it is there already; as `append`."""
        return await self._accept(delivery, events, self._late())

    async def wait_until_up(self) -> None:
        """Return when appends can succeed."""
        await self._session.wait_until_up()

    async def read(self, after: Cursor, limit: int) -> list[Event] | Gap:
        """At most `limit` events that follow `after`, oldest first; a Gap when it is not ours."""
        return await read(self._node, after, limit)

    async def check(self) -> str:
        """
        Write something harmless.

        Raises:
            LogUnavailable: Redis takes no writes; says why.
        """
        if not self._session.is_up:
            raise LogUnavailable(self._session.trouble)
        await self._touch()
        return ""

    async def close(self) -> None:
        """Disconnect; what is under way is told that it may have happened, or not."""
        await self._session.close()

    # --- appending ------------------------------------------------------------------------------

    async def _accept(
        self, record: DeliveryRecord, events: Sequence[NewEvent], moment: Moment
    ) -> Appended:
        if not self._session.is_up:
            raise LogUnavailable(self._session.trouble)
        try:
            done = await self._run(record, events, moment)
        except LogUnavailable as error:
            self._session.doubt(error)
            raise
        self._remember(_Acknowledged(time.monotonic(), record, events))
        return done

    async def _run(
        self, record: DeliveryRecord, events: Sequence[NewEvent], moment: Moment
    ) -> Appended:
        replies: list[Any] = []
        for part, (some, last) in enumerate(calls(events)):
            arguments = self._appender.arguments(
                record, some, moment, last=last, part=part, before_new=_any_new(replies)
            )
            replies.append(await self._node.run(APPEND, self._append_keys, arguments))
        return appended(replies)

    def _late(self) -> Moment:
        return Moment(self._clock().timestamp(), late=True)

    def _remember(self, acknowledged: _Acknowledged) -> None:
        outbox = self._outbox
        outbox.append(acknowledged)
        while len(outbox) > OUTBOX_DELIVERIES or outbox[0].at < acknowledged.at - OUTBOX_SECONDS:
            outbox.popleft()

    # --- sessions -------------------------------------------------------------------------------

    async def _prepare(self) -> None:
        # It proves every right that is needed before anything is promised.
        await self._node.execute("SCRIPT", "LOAD", APPEND.text)
        names = (self._node.keys("log"), self._node.keys("epoch"))
        await self._node.run(BEGIN, names, [int(self._clock().timestamp() * 1000)])
        await self._touch()  # nor from a server that takes no writes now

    async def _touch(self) -> None:
        await self._node.execute("SET", self._node.keys("checked"), f"{time.time():.3f}")

    async def _append_again(self) -> None:
        # This server may have lost what another one, or it, had acknowledged.
        since, moment = time.monotonic() - OUTBOX_SECONDS, self._late()
        recent = [one for one in self._outbox if one.at >= since]
        for start in range(0, len(recent), TOGETHER):
            # They leave in this order, on one connection.
            some = recent[start : start + TOGETHER]
            await asyncio.gather(*(self._run(one.record, one.events, moment) for one in some))

    def _emit(self, news: News) -> None:
        tell(self._listeners, news)


def _any_new(replies: Sequence[Sequence[Any]]) -> bool:
    return any(not duplicate for _, duplicate, *_ in replies)
