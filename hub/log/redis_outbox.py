"""What a hub acknowledged a short while ago: a Redis that comes back may have lost it."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hub.log.values import DeliveryRecord, NewEvent

OUTBOX_SECONDS = 60.0  # a fail-over loses what the old master had not passed on; seconds at most
OUTBOX_DELIVERIES = 20_000  # about 2.5 KB each
OUTBOX_BYTES = 32 * 1024 * 1024  # of notifications: one delivery may have thousands


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A delivery that is in the log, if the log is still the same; `at` is monotonic."""

    at: float
    record: DeliveryRecord
    events: Sequence[NewEvent]

    @property
    def size(self) -> int:
        """The bytes of its notifications."""
        return sum(len(event.tail) for event in self.events)


class Outbox:
    """The newest deliveries, within a number and a size; by time when somebody says until when."""

    def __init__(self) -> None:
        self._kept: deque[Acknowledged] = deque()
        self._bytes = 0

    def add(self, record: DeliveryRecord, events: Sequence[NewEvent]) -> None:
        """Keep a delivery that was acknowledged now."""
        # Without its payload, which is ten times as large and nobody waits for.
        added = Acknowledged(time.monotonic(), replace(record, payload=b""), events)
        self._kept.append(added)
        self._bytes += added.size
        while len(self._kept) > OUTBOX_DELIVERIES or self._bytes > OUTBOX_BYTES:
            self._drop()

    def drop_before(self, at: float) -> None:
        """Drop what was acknowledged longer than OUTBOX_SECONDS before a moment."""
        while self._kept and self._kept[0].at < at - OUTBOX_SECONDS:
            self._drop()

    def all(self) -> list[Acknowledged]:
        """What is kept, oldest first."""
        return list(self._kept)

    def _drop(self) -> None:
        self._bytes -= self._kept.popleft().size
