"""
The shared log: Redis 7 or Valkey, single, behind Sentinel, or a Cluster; any number of hubs on it.

A stream is the log, a channel wakes whoever listens, one script appends.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from hub.log.base import Listener, LogUnavailable, News, tell
from hub.log.redis_address import RedisAddress
from hub.log.redis_advice import advice
from hub.log.redis_append import APPEND, BEGIN, Appender, Limits, Moment, appended, calls, keys_of
from hub.log.redis_callbacks import RedisCallbacks
from hub.log.redis_deliveries import RedisDeliveries
from hub.log.redis_node import RedisNode
from hub.log.redis_notes import RedisNotes
from hub.log.redis_outbox import Outbox
from hub.log.redis_reader import read
from hub.log.redis_records import RedisRecords
from hub.log.redis_reports import RedisReports
from hub.log.redis_session import RedisSession
from hub.log.values import Appended, Cursor, DeliveryRecord, Event, Gap, NewEvent

logger = logging.getLogger(__name__)

TRIM_SECONDS = 5.0  # between two looks at what in the outbox has become old
TOGETHER = 256  # of the outbox on their way at once


class RedisLog(RedisCallbacks, RedisDeliveries, RedisNotes, RedisRecords, RedisReports):
    """The `Log` protocol over Redis."""

    def __init__(
        self,
        address: RedisAddress,
        *,
        keep_events: int = 100_000,
        keep_deliveries: int = 10_000,
        keep_payloads: int = 1_000,
        deduplication_seconds: float = 600.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._node = RedisNode(address)
        RedisCallbacks.__init__(self, self._node)
        RedisDeliveries.__init__(self, self._node)
        RedisNotes.__init__(self, self._node)
        RedisRecords.__init__(self, self._node)
        RedisReports.__init__(self, self._node)
        self._appender = Appender(
            self._node.keys,
            Limits(keep_events, keep_deliveries, keep_payloads, deduplication_seconds),
            "SPUBLISH" if self._node.sharded else "PUBLISH",
        )
        self._append_keys = keys_of(self._node.keys)
        self.channels: tuple[str, ...] = (self._node.keys("events"),)
        self._clock = clock
        self._listeners: list[Listener] = []
        self._session = RedisSession(
            self._node, self._emit, prepare=self._prepare, recover=self._append_again
        )
        self._outbox = Outbox()
        self._trimming: asyncio.TimerHandle | None = None
        self._advised: set[str] = set()

    async def open(self) -> None:
        """
        Connect; when Redis is away, go on trying.

        Raises:
            LogUnfit: Redis is there, and cannot be used as it is set up.
        """
        await self._session.open()
        self._trim()

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
        moment = Moment(delivery.received_at.timestamp(), self._clock().timestamp())
        return await self._accept(delivery, events, moment)

    async def append_late(self, delivery: DeliveryRecord, events: Sequence[NewEvent]) -> Appended:
        """Append what was received some time ago, unless it is there already; as `append`."""
        return await self._accept(delivery, events, self._late())

    async def wait_until_up(self) -> None:
        """Return when appends can succeed."""
        await self._session.wait_until_up()

    @property
    def trouble(self) -> tuple[datetime, str] | None:
        """Since when appends cannot succeed, and why; None when they can."""
        if self._session.is_up:
            return None
        since = datetime.fromtimestamp(self._session.troubled_since, UTC)
        return since, self._session.trouble or "the connection was lost"

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
        if self._trimming is not None:
            self._trimming.cancel()
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
        self._outbox.add(record, events)
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
        now = self._clock().timestamp()
        return Moment(now, now, late=True)

    def _trim(self) -> None:
        # While Redis is away nothing grows old: it counts from the moment at which it was lost.
        if self._session.is_up:
            self._outbox.drop_before(time.monotonic())
        self._trimming = asyncio.get_running_loop().call_later(TRIM_SECONDS, self._trim)

    # --- sessions -------------------------------------------------------------------------------

    async def _prepare(self) -> None:
        # It proves every right that is needed before anything is promised.
        await self._node.execute("SCRIPT", "LOAD", APPEND.text)
        names = (self._node.keys("log"), self._node.keys("epoch"))
        await self._node.run(BEGIN, names, [int(self._clock().timestamp() * 1000)])
        await self._node.execute("TIME")  # callbacks' leases need it
        self._advise(set(advice(await self._node.info())))
        await self._touch()  # nor from a server that takes no writes now

    def _advise(self, found: set[str]) -> None:
        for one in sorted(found - self._advised):
            keys = {"address": str(self.address), "advice": one}
            logger.warning("Redis should be set up otherwise", extra=keys)
        self._advised = found  # said once, and again when it comes back

    async def _touch(self) -> None:
        await self._node.execute("SET", self._node.keys("checked"), f"{time.time():.3f}")

    async def _append_again(self) -> None:
        # This server may have lost what another one, or it, had acknowledged.
        self._outbox.drop_before(self._session.lost_at)
        recent, moment = self._outbox.all(), self._late()
        for start in range(0, len(recent), TOGETHER):
            # They leave in this order, on one connection.
            some = recent[start : start + TOGETHER]
            await asyncio.gather(*(self._run(one.record, one.events, moment) for one in some))

    def _emit(self, news: News) -> None:
        tell(self._listeners, news)


def _any_new(replies: Sequence[Sequence[Any]]) -> bool:
    return any(not duplicate for _, duplicate, *_ in replies)
