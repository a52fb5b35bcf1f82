"""
The log's contract: what every engine stores, promises and raises.

Errors:
    LogError
    ├── LogUnavailable   nothing was stored; the same call may succeed later
    ├── LogInUse         another process owns this log
    └── LogUnfit         it answers, but cannot be used as a log: a person must change something

Promises every engine keeps:
    - `append` returns only when the events are durable;
    - events have dense, increasing positions, and everyone sees them in that order;
    - a cursor that cannot be continued gives a `Gap`, never an error and never silence.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Protocol

from hub.log.delivered import ALL, Wanted
from hub.log.notes import NoteStore
from hub.log.refused import Refusal
from hub.log.values import (
    Appended,
    Cursor,
    DeadLetter,
    DeliveryRecord,
    Event,
    Gap,
    Head,
    Lease,
    NewEvent,
    Origin,
    SecretUse,
    StageReport,
    SubscriptionChanges,
    SubscriptionRow,
)

logger = logging.getLogger(__name__)


class LogError(Exception):
    """The log could not do what it was asked to."""


class LogUnavailable(LogError):
    """Nothing was stored; the same call may succeed later."""


class LogInUse(LogError):
    """Another process owns this log."""


class LogUnfit(LogError):
    """It answers, but cannot be used as a log; the message says exactly what it lacks."""


News = Sequence[Event] | Gap
Listener = Callable[[News], None]
"""Hears batches of new events in order, or that some may have passed by: the head is elsewhere."""


def tell(listeners: Sequence[Listener], news: News) -> None:
    """Tell everybody; one that fails must not keep the others from hearing."""
    for listener in listeners:
        try:
            listener(news)
        except Exception:
            logger.exception("a listener of the log failed")


class CallbackStore(Protocol):
    """
    What the hubs on one log agree on about callbacks.

    Progress is an object of the caller's own making, kept by subscription.
    """

    async def lease(self, name: str, owner: str, seconds: float) -> Lease | None:
        """Take or renew a lease for `seconds` from now; None while somebody else has it."""

    async def release(self, lease: Lease) -> None:
        """Give a lease back early; one that is no longer held is no error."""

    async def progress(self, subscription_id: str) -> dict[str, Any] | None:
        """What was last saved for a subscription."""

    async def save_progress(
        self, lease: Lease, subscription_id: str, value: dict[str, Any]
    ) -> bool:
        """Save unless somebody with a later fence has the lease; whether it was saved."""

    async def forget_progress(self, subscription_id: str) -> None:
        """Forget a subscription's progress and its dead letters."""

    async def bury(self, letter: DeadLetter) -> int:
        """Keep a dead letter (the newest 10,000 are kept); its number."""

    async def dead_letters(self, limit: int, before: int | None) -> list[DeadLetter]:
        """The newest dead letters, newest first, older than number `before`."""

    async def dead_letter(self, number: int) -> DeadLetter | None:
        """One dead letter."""

    async def remove_dead_letter(self, number: int) -> bool:
        """Forget a dead letter; False when it was not known."""


class Log(CallbackStore, NoteStore, Protocol):
    """The hub's memory. Every method that writes raises LogUnavailable when it could not."""

    async def open(self) -> None:
        """
        Make the log usable.

        Raises:
            LogInUse: another process owns it.
            LogUnavailable: it cannot be used now (a log that is elsewhere may open all the same,
                and say so in `check`).
            LogUnfit: it cannot be used as it is set up.
        """

    channels: tuple[str, ...]
    """Where Redis publishes the events; none at an embedded log."""

    @property
    def head(self) -> Cursor:
        """The newest event published to listeners (position 0 in an empty log)."""

    def listen(self, listener: Listener) -> None:
        """Call `listener` on the event loop with every batch of new events, in order."""

    async def append(self, delivery: DeliveryRecord, events: Sequence[NewEvent]) -> Appended:
        """Store a delivery, its events and the use of its secret, all or nothing, durably."""

    async def read(self, after: Cursor, limit: int) -> list[Event] | Gap:
        """At most `limit` events that follow `after`, oldest first."""

    async def deliveries(
        self, limit: int, before: int | None, wanted: Wanted = ALL
    ) -> list[dict[str, Any]]:
        """The newest remembered deliveries, newest first, older than number `before`."""

    async def delivery(self, number: int) -> dict[str, Any] | None:
        """One remembered delivery, with how it came (see `hub.log.delivered`)."""

    async def payload(self, number: int) -> bytes | None:
        """What is kept of a delivery's payload; None when nothing is, or is no longer."""

    async def forget_before(self, moment: datetime) -> None:
        """Forget deliveries and refusals that are older."""

    async def refuse(self, refusals: Sequence[Refusal]) -> None:
        """Remember refused deliveries, equal ones as one (KEEP_REFUSALS of each code are kept)."""

    async def refusals(self, limit: int, before: int | None) -> list[Refusal]:
        """The newest refused deliveries, newest first, older than number `before`."""

    async def secret_uses(self) -> list[SecretUse]:
        """When each secret last verified a delivery, also of deliveries long forgotten."""

    async def put_subscription(
        self, row: SubscriptionRow, replaces: SubscriptionRow | None
    ) -> bool:
        """
        Store a subscription under its id, if what is stored there is `replaces` (None: nothing).

        Another hub may have changed or deleted it meanwhile: False, and nothing was stored.
        """

    async def delete_subscription(self, subscription_id: str) -> None:
        """Forget a subscription; unknown ids are no error."""

    async def subscriptions(self) -> list[SubscriptionRow]:
        """Every stored subscription."""

    async def changed_subscriptions(self) -> SubscriptionChanges:
        """What this or another hub has stored or deleted since the last call, or the first read."""

    async def heads(self, subject_prefix: str, limit: int) -> list[Head]:
        """Where the refs whose subject begins so stand, by subject; without a prefix any."""

    async def report(self, report: StageReport) -> None:
        """Remember one stage report."""

    async def targets(self, limit: int) -> list[str]:
        """The targets that were reported about, the latest first."""

    async def reported(self, since: float) -> dict[str, float]:
        """
        The targets that were reported about since a moment, each with that of its newest report.

        Moments are the log's own, and comparable with nothing else; 0 is before all of them.
        """

    async def reports(self, target: str, limit: int) -> list[StageReport]:
        """The newest reports about a target, oldest first."""

    async def origins(self, trace_ids: Collection[str]) -> dict[str, Origin]:
        """The pushes that traces began with, as far as they are remembered."""

    async def check(self) -> str:
        """
        Write and commit something harmless, to prove that the log takes writes.

        Returns:
            In which way it is degraded while it still accepts deliveries, "" when it is not.
        """

    async def close(self) -> None:
        """Finish what was accepted and release the log."""
