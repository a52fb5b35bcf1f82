"""Events and delivery records for the log, as the hub would make them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hub.log.base import Log
from hub.log.values import DeliveryRecord, Event, Gap, NewEvent

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
KEYS = frozenset({"github.com/acme/shop"})
SUBJECT = "github.com/acme/shop#refs/heads/main"


def event(after: str | None, before: str | None = None, *, delivery: str = "") -> NewEvent:
    """A change of one ref."""
    data = {"repository": {"keys": sorted(KEYS)}, "ref": "refs/heads/main", "after": after}
    tail = {"subject": SUBJECT, "time": "2026-05-01T12:00:00Z", "data": data}
    return NewEvent(
        event_id=f"{SUBJECT} {before} {after}",
        delivery_key=delivery,
        subject=SUBJECT,
        before=before,
        after=after,
        keys=KEYS,
        ref="refs/heads/main",
        trace_id="0" * 32,
        tail=json.dumps(tail).encode()[1:],
    )


def record(at: datetime = NOW, verdict: str = "matched") -> DeliveryRecord:
    """A delivery received at a time."""
    return DeliveryRecord(
        at, "github", "main", "guid", "push", verdict, {"reason": "news"}, {"reason": "repeat"}
    )


def after_of(one: Event) -> str:
    """The commit an event announces."""
    after: str = json.loads(one.message)["data"]["after"]
    return after


@dataclass
class Heard:
    """What a listener of a log was told."""

    log: Log
    events: list[Event] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen from now on."""
        self.log.listen(self._hear)

    def _hear(self, news: Sequence[Event] | Gap) -> None:
        if isinstance(news, Gap):
            self.gaps.append(news.reason)
        else:
            self.events.extend(news)

    @property
    def commits(self) -> list[str]:
        """The commits that were announced, in order."""
        return [after_of(one) for one in self.events]
