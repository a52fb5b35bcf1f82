"""
Refusals in numbers: no longer worth a line each, and bad signatures not an answer of their own.

A source is never locked: whoever could spend its tokens with garbage would lock the forge out.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from hub.problem import Problem

logger = logging.getLogger(__name__)

BURST = 20  # wrong signatures of a source, or refusals of a kind, at once
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

    def takes(self, now: float) -> bool:
        """Is there a token? Then it is taken; else one more stays unsaid."""
        refill = (now - self.filled_at) * REFILL_PER_SECOND
        self.tokens = min(BURST, self.tokens + refill)
        self.filled_at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return True
        self.unsaid += 1
        return False

    def to_say(self, now: float) -> int:
        """How many stayed unsaid; 0 while the last time that was told is not long ago."""
        if now - self.said_at < SUMMARY_EVERY_SECONDS:
            return 0
        unsaid, self.unsaid, self.said_at = self.unsaid, 0, now
        return unsaid


class _Buckets:
    """A token bucket for each name."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """
        Args:
            clock: seconds that never go back.
        """
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def _take(self, name: str, key: str, summary: str) -> _Bucket | None:
        """The bucket when it was empty, which is told once a while; None when it had a token."""
        now = self._clock()
        bucket = self._buckets.setdefault(name, _Bucket(BURST, now))
        if bucket.takes(now):
            return None
        if unsaid := bucket.to_say(now):
            logger.warning(summary, extra={key: name, "deliveries": unsaid})
        return bucket


class BadSignatures(_Buckets):
    """A token bucket for each source."""

    def answer(self, source: str, refused: Problem) -> Problem:
        """What the sender of a wrong signature is told: its own refusal, or to come back later."""
        summary = "too many bad signatures, not logged one by one"
        empty = self._take(source, "source", summary)
        if empty is None:
            return refused
        return TooManyBadSignatures(math.ceil((1 - empty.tokens) / REFILL_PER_SECOND))


class RefusalLines(_Buckets):
    """A token bucket for each code of a refusal."""

    def is_due(self, code: str) -> bool:
        """Is one more refusal worth a line of its own?"""
        return self._take(code, "code", "too many refusals, not logged one by one") is None
