"""
A hub's Redis, followed and reported to directly: for servers whose `hub` is a Redis URL.

The notifications are the hub's own, byte for byte, and so is the way they are read; the server
itself knows neither.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from cd4sources import notifications
from cd4sources.http import Unreachable
from cd4sources.notifications import MalformedNotification, Notification
from cd4sources.reporting import StageReport
from cd4sources.wakes import MissedReason
from hub.log import values
from hub.log.base import LogError, LogUnavailable, LogUnfit
from hub.log.redis_address import parse_redis_url
from hub.log.redis_node import RedisNode
from hub.log.redis_records import RedisRecords
from hub.log.redis_reports import RedisReports
from hub.log.redis_session import RedisSession
from hub.log.values import Event, Gap
from hub.rules import Subscription, from_row, to_row
from hub.subscriptions import id_of
from hub.tracing import trace_id_of
from hub.wants import Want

logger = logging.getLogger(__name__)

UNFIT_PAUSE_SECONDS = 10.0  # a person has to change something; polling goes on meanwhile
LEASE = timedelta(seconds=60)  # as when subscribing over HTTP
RENEWAL_SECONDS = 20.0
UP_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who follows: by this the hubs say whom a push reaches, or why it does not."""

    name: str
    wants: tuple[Want, ...]


class RedisHub:
    """The hubs behind one Redis."""

    def __init__(self, url: str, subscriber: Subscriber | None = None) -> None:
        """
        Args:
            url: as in the hubs' own settings.
            subscriber: who follows; None for who only reports.

        Raises:
            ValueError: it is no address of a Redis.
        """
        self._address = parse_redis_url(url)
        self._subscriber = subscriber

    async def follow(
        self,
        on_notification: Callable[[Notification], None],
        on_missed: Callable[[MissedReason], None],
    ) -> NoReturn:
        """
        Pass every push on, for ever, whatever happens to Redis; cancel to end.

        Args:
            on_notification: called for each push, must not block.
            on_missed: called whenever pushes may have been missed: look at everything once.
        """

        async def recover() -> None:
            on_missed("reconnect")

        def emit(news: Sequence[Event] | Gap) -> None:
            if isinstance(news, Gap):
                on_missed("gap")
                return
            for event in news:
                _pass_on(event, on_notification, on_missed)

        while True:
            node = RedisNode(self._address)
            session = RedisSession(node, emit, recover=recover)
            try:
                await session.open()
                await self._stay_subscribed(session, RedisRecords(node))
            except LogUnfit as error:
                keys = {"address": str(self._address), "reason": str(error)}
                logger.error("Redis cannot be followed", extra=keys)  # noqa: TRY400 - a reason, no bug
            finally:
                await session.close()
            await asyncio.sleep(UNFIT_PAUSE_SECONDS)

    async def _stay_subscribed(self, session: RedisSession, records: RedisRecords) -> NoReturn:
        while True:
            await session.wait_until_up()
            try:
                await self._subscribe(records)
            except LogError as error:  # what is published is heard all the same
                logger.debug("not subscribed", extra={"reason": str(error)})
                await asyncio.sleep(UP_PAUSE_SECONDS)
            else:
                await asyncio.sleep(RENEWAL_SECONDS)

    async def _subscribe(self, records: RedisRecords) -> None:
        if self._subscriber is None:
            return
        subscriber, now = self._subscriber, datetime.now(UTC)
        known = await records.subscription(id_of(subscriber.name))
        paused = _is_paused(known)  # a person's decision, not ours
        subscription = Subscription(
            id_of(subscriber.name), subscriber.name, subscriber.wants, now + LEASE, paused
        )
        if not await records.put_subscription(to_row(subscription), known):
            raise LogUnavailable("the subscription was changed at the same moment")

    async def report(self, report: StageReport) -> None:
        """
        File one stage of a push's way, where the hubs look for it.

        Raises:
            Unreachable: Redis did not take it; the same may be tried again.
        """
        node = RedisNode(self._address)
        try:
            await node.connect()
            await RedisReports(node).report(_filed(report))
        except LogError as error:
            raise Unreachable(str(error)) from error
        finally:
            node.disconnect("reported")


def _is_paused(row: values.SubscriptionRow | None) -> bool:
    # One of a form that this version does not know is replaced.
    with suppress(ValueError):
        return row is not None and from_row(row).paused
    return False


def _pass_on(
    event: Event,
    on_notification: Callable[[Notification], None],
    on_missed: Callable[[MissedReason], None],
) -> None:
    try:
        on_notification(notifications.parse_notification(event.message.decode()))
    except MalformedNotification:
        on_missed("gap")


def _filed(report: StageReport) -> values.StageReport:
    return values.StageReport(
        target=report.target,
        stage=report.stage,
        result=report.result,
        started_at=report.started_at,
        ended_at=report.ended_at,
        trace_id=trace_id_of(report.traceparent or "") or "",
        version=report.version,
        message=report.message,
        reporter=report.reporter,
        is_caught=report.is_caught,
        commits=report.commits,
    )
