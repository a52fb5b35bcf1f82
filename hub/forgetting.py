"""What is only for people to look at is not kept for ever."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from hub.log.base import Log, LogUnavailable

logger = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0


class Forgetting:
    """Forgets old deliveries and refusals, now and every hour."""

    def __init__(self, log: Log, days: float, clock: Callable[[], datetime]) -> None:
        """
        Args:
            log: the hub's.
            days: how long they are kept.
            clock: the time, aware and in UTC.
        """
        self._log = log
        self._kept = timedelta(days=days)
        self._clock = clock

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            try:
                await self._log.forget_before(self._clock() - self._kept)
            except LogUnavailable as error:  # in an hour, then
                logger.debug("old deliveries not forgotten", extra={"reason": str(error)})
            await asyncio.sleep(EVERY_SECONDS)
