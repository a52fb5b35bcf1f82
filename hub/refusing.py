"""Deliveries that could not be stored: one line in the log, then one a minute with their number."""

import logging
import math
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

EVERY_SECONDS = 60.0


class Refusals:
    """Counts what is not logged one by one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            clock: seconds that never go back.
        """
        self._clock = clock
        self._unsaid = 0
        self._said_at = -math.inf

    def note(self, source: str, error: Exception) -> None:
        """Note that a delivery of a source was refused, and why."""
        self._unsaid += 1
        now = self._clock()
        if now - self._said_at < EVERY_SECONDS:
            return
        keys = {"source": source, "deliveries": self._unsaid, "reason": str(error)}
        logger.error("deliveries not stored", extra=keys)
        self._unsaid, self._said_at = 0, now
