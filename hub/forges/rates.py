"""
How much may still be asked of one API.

GitHub: https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api (403 or 429
with `Retry-After`, or `x-ratelimit-remaining: 0` and `x-ratelimit-reset` in Unix seconds; without
either a minute). GitLab: https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/
(429, the same without `x-`).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from hub.forges.errors import RateLimited

SHARE = 10  # one part in so many stays for whoever else uses the token
UNSAID_SECONDS = 60.0
MOST_SECONDS = 3600.0
LIMITED = frozenset({403, 429})


class Budget:
    """What one API's answers say about the next request."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """
        Args:
            clock: Unix seconds.
        """
        self._clock = clock
        self._until = 0.0

    @property
    def until(self) -> datetime | None:
        """When something may be asked again, UTC; None when it may now."""
        # What is further away than it was ever set to was set by a clock that has gone back since.
        left = self._until - self._clock()
        return datetime.fromtimestamp(self._until, UTC) if 0 < left <= MOST_SECONDS else None

    def check(self, host: str) -> None:
        """Raise RateLimited while nothing may be asked."""
        if until := self.until:
            raise RateLimited(f"{host} wants to be asked nothing until {until:%H:%M:%S} UTC", until)

    def take_note(self, status: int, headers: Mapping[str, str]) -> None:
        """Read an answer."""
        now = self._clock()
        limit, left = _number(headers, "limit"), _number(headers, "remaining")
        reset = _number(headers, "reset")
        wait = _retry_after(headers.get("retry-after", ""), now)
        is_limited = status == 429 or (status in LIMITED and (wait is not None or left == 0))  # noqa: PLR2004 - HTTP's own
        if is_limited:
            until = now + (wait if wait is not None else UNSAID_SECONDS)
            if wait is None and reset is not None and left == 0:
                until = reset
        elif left is not None and reset is not None and left <= (limit or 0) // SHARE:
            until = reset
        else:
            return
        self._until = min(max(self._until, until), now + MOST_SECONDS)


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(f"x-ratelimit-{name}") or headers.get(f"ratelimit-{name}") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None  # noqa: PLR2004 - more is no time


def _retry_after(text: str, now: float) -> float | None:
    """Seconds; the header may also be a date: RFC 9110, 10.2.3."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
