"""Pauses between attempts, and saying once why they are needed."""

import logging
import random
import re

_PASSING = re.compile(r"\d+\.\d+ s\b|\(pid .*\)")
"""How long it took, which process it was and what that printed make no other reason."""

logger = logging.getLogger(__name__)


class Backoff:
    """
    Growing pauses with jitter, so that many waiters do not come back in step.

    Args:
        first_seconds: The shortest pause.
        most_seconds: The longest pause; pauses double until they reach it.
    """

    def __init__(self, first_seconds: float, most_seconds: float) -> None:
        """Start at the shortest pause."""
        self._first = first_seconds
        self._most = most_seconds
        self._ceiling = first_seconds

    def pause_seconds(self) -> float:
        """Return the next pause: between half of the doubled ceiling and the ceiling."""
        self._ceiling = min(self._most, self._ceiling * 2)
        lowest = max(self._first, self._ceiling / 2)
        return random.uniform(lowest, self._ceiling)  # noqa: S311 -- jitter is no secret

    def reset(self) -> None:
        """Begin again with the shortest pause: what was tried has worked."""
        self._ceiling = self._first


class Outage:
    """
    One peer that does not answer as it should: logged when the reason changes, then waited out.

    Args:
        peer: What is out of reach, for the log: `hub`, `delivery`.
        backoff: The pauses between attempts.
    """

    def __init__(self, peer: str, backoff: Backoff) -> None:
        """Begin without an outage."""
        self._peer = peer
        self._backoff = backoff
        self._gist = ""

    def failed(self, reason: str) -> float:
        """
        Note one failed attempt.

        Returns:
            Seconds to wait before the next attempt.
        """
        pause = self._backoff.pause_seconds()
        gist = _PASSING.sub("", reason)
        level = logging.DEBUG if gist == self._gist else logging.WARNING
        keys = {"peer": self._peer, "reason": reason, "next_attempt_seconds": round(pause, 2)}
        logger.log(level, "attempt failed, trying again", extra=keys)
        self._gist = gist
        return pause

    def over(self) -> None:
        """Note one attempt that worked."""
        if self._gist:
            logger.info("attempt worked again", extra={"peer": self._peer})
        self._gist = ""
        self._backoff.reset()
