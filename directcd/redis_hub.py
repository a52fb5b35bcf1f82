"""
A hub's Redis, followed and reported to directly: for servers whose `hub` is a Redis URL.

The notifications are the hub's own, byte for byte, and so is the way they are read; the server
itself knows neither.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import NoReturn

from cd4sources import notifications
from cd4sources.http import Unreachable
from cd4sources.notifications import MalformedNotification, Notification
from cd4sources.reporting import StageReport
from cd4sources.wakes import MissedReason
from hub.log import base
from hub.log.base import Event, Gap, LogError, LogUnfit
from hub.log.redis_address import parse_redis_url
from hub.log.redis_node import RedisNode
from hub.log.redis_records import RedisRecords
from hub.log.redis_session import RedisSession
from hub.tracing import trace_id_of

logger = logging.getLogger(__name__)

UNFIT_PAUSE_SECONDS = 10.0  # a person has to change something; polling goes on meanwhile


class RedisHub:
    """The hubs behind one Redis."""

    def __init__(self, url: str) -> None:
        """
        Args:
            url: as in the hubs' own settings.

        Raises:
            ValueError: it is no address of a Redis.
        """
        self._address = parse_redis_url(url)

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
            session = RedisSession(RedisNode(self._address), emit, recover=recover)
            try:
                await session.open()
                await asyncio.get_running_loop().create_future()
            except LogUnfit as error:
                keys = {"address": str(self._address), "reason": str(error)}
                logger.error("Redis cannot be followed", extra=keys)  # noqa: TRY400 - a reason, no bug
            finally:
                await session.close()
            await asyncio.sleep(UNFIT_PAUSE_SECONDS)

    async def report(self, report: StageReport) -> None:
        """
        File one stage of a push's way, where the hubs look for it.

        Raises:
            Unreachable: Redis did not take it; the same may be tried again.
        """
        node = RedisNode(self._address)
        try:
            await node.connect()
            await RedisRecords(node).report(_filed(report))
        except LogError as error:
            raise Unreachable(str(error)) from error
        finally:
            node.disconnect("reported")


def _pass_on(
    event: Event,
    on_notification: Callable[[Notification], None],
    on_missed: Callable[[MissedReason], None],
) -> None:
    try:
        on_notification(notifications.parse_notification(event.message.decode()))
    except MalformedNotification:
        on_missed("gap")


def _filed(report: StageReport) -> base.StageReport:
    return base.StageReport(
        target=report.target,
        stage=report.stage,
        result=report.result,
        started_at=report.started_at,
        ended_at=report.ended_at,
        trace_id=trace_id_of(report.traceparent or "") or "",
        version=report.version,
        message=report.message,
        reporter=report.reporter,
    )
