"""
Bad signatures in numbers: verified all the same, but no longer worth a line and an answer each.

A source is never locked: whoever could spend its tokens with garbage would lock the forge out.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from hub.problem import Problem

logger = logging.getLogger(__name__)

BURST = 20  # wrong signatures a source may have at once
REFILL_PER_SECOND = 1.0
SUMMARY_EVERY_SECONDS = 60.0

Clock = Callable[[], float]


class TooManyBadSignatures(Problem):
    """
    One more wrong signature where there were too many.

    Attributes:
        retry_after_seconds: when the next one will get an answer of its own.
    """

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            429,
            "too-many-bad-signatures",
            "too many deliveries with a wrong signature came to this source",
            "compare the webhook's secret with the source's; a well signed delivery is taken now",
        )
        self.retry_after_seconds = retry_after_seconds


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float
    unsaid: int = 0
    said_at: float = -math.inf


class BadSignatures:
    """A token bucket for each source."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """
        Args:
            clock: seconds that never go back.
        """
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def answer(self, source: str, refused: Problem) -> Problem:
        """What the sender of a wrong signature is told: its own refusal, or to come back later."""
        now = self._clock()
        bucket = self._buckets.setdefault(source, _Bucket(BURST, now))
        refill = (now - bucket.filled_at) * REFILL_PER_SECOND
        bucket.tokens = min(BURST, bucket.tokens + refill)
        bucket.filled_at = now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return refused
        _count(bucket, source, now)
        return TooManyBadSignatures(math.ceil((1 - bucket.tokens) / REFILL_PER_SECOND))


def _count(bucket: _Bucket, source: str, now: float) -> None:
    bucket.unsaid += 1
    if now - bucket.said_at >= SUMMARY_EVERY_SECONDS:
        keys = {"source": source, "deliveries": bucket.unsaid}
        logger.warning("too many bad signatures, not logged one by one", extra=keys)
        bucket.unsaid, bucket.said_at = 0, now
