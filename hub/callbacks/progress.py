"""How far a subscription's callback has come: what a hub saves, and the next one goes on from."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hub.log.values import Cursor


@dataclass(frozen=True, slots=True)
class Progress:
    """
    Where one callback stands.

    Attributes:
        cursor: everything up to here was taken, was not wanted, or is a dead letter.
        since: where the subscription began. Another one of the same name begins elsewhere, and
            has nothing to do with this.
        failures: how often the next event has failed.
        failing_since: since when.
        next_attempt_at: when it is tried again.
        last_error: why it failed.
    """

    cursor: Cursor
    since: str
    failures: int = 0
    failing_since: datetime | None = None
    next_attempt_at: datetime | None = None
    last_error: str = ""

    def at(self, cursor: Cursor) -> "Progress":
        """What was next is done."""
        return Progress(cursor, self.since)

    def failed(self, reason: str, now: datetime, pause_seconds: float) -> "Progress":
        """What is next has failed once more."""
        return replace(
            self,
            failures=self.failures + 1,
            failing_since=self.failing_since or now,
            next_attempt_at=now + timedelta(seconds=pause_seconds),
            last_error=reason,
        )

    def as_json(self) -> dict[str, Any]:
        """What is stored, and shown."""
        return {
            "cursor": str(self.cursor),
            "since": self.since,
            "failures": self.failures,
            "failing_since": _text(self.failing_since),
            "next_attempt_at": _text(self.next_attempt_at),
            "last_error": self.last_error,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Progress | None":
        """What was stored, or None when it is of no form that this version knows."""
        cursor = Cursor.parse(str(stored.get("cursor", "")))
        if cursor is None:
            return None
        return cls(
            cursor,
            stored.get("since", ""),
            stored.get("failures", 0),
            _time(stored.get("failing_since")),
            _time(stored.get("next_attempt_at")),
            stored.get("last_error", ""),
        )


def _text(time: datetime | None) -> str | None:
    return time.isoformat(timespec="milliseconds") if time else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
