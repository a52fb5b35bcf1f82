"""Telling subscribers what no delivery told them: a delivery of the hub's own, and its events."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from adapters import Outcome, RefChange, RefType
from hub.explaining import Explained, explain, explain_repeat, named_by_hand
from hub.log.base import Log
from hub.log.values import DeliveryRecord, NewEvent
from hub.names import Names, keys_of
from hub.notification import complete_paths, new_events
from hub.reaching import Push, reach
from hub.recording import details_by_hand
from hub.renaming import told_by_old_name
from hub.subscriptions import Registry


@dataclass(frozen=True, slots=True)
class Told:
    """
    What became of something that was told.

    Attributes:
        number: its delivery's; None while only this hub's disk has it.
        explanation: whom it reached and why.
        trace_ids: of its events.
        is_repeat: whether all of it was known already.
    """

    number: int | None
    explanation: Explained
    trace_ids: Sequence[str]
    is_repeat: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        matched, reason = self.explanation["matched"], self.explanation["reason"]
        shown = {"number": self.number, "matched": matched, "trace_ids": list(self.trace_ids)}
        return shown | {"reason": reason, "next": self.explanation["next"]}


@dataclass(frozen=True, slots=True)
class Telling:
    """
    What is to be told.

    Attributes:
        provider: whose delivery it is taken for.
        source: likewise.
        outcome: what it means.
        reason: why it is told.
        to: the one subscription it is for; "" for all.
        payload: what is kept of it.
        details: what is shown of it alone.
        is_asked_for: whether it is news however often it is told.
        former: the names that its repository had before.
    """

    provider: str
    source: str
    outcome: Outcome
    reason: str
    to: str = ""
    payload: bytes = b""
    details: Mapping[str, object] = field(default_factory=dict)
    is_asked_for: bool = True
    former: Names = ()


class Teller:
    """Tells what it is given, by one hub's log."""

    def __init__(
        self, log: Log, registry: Registry, clock: Callable[[], datetime], public_url: str
    ) -> None:
        """
        Args:
            log: the hub's.
            registry: who wants what.
            clock: the time, aware and in UTC.
            public_url: how forges reach the hub.
        """
        self._log = log
        self._registry = registry
        self._clock = clock
        self._public_url = public_url

    async def why(
        self, provider: str, source: str, outcome: Outcome, former: Names = ()
    ) -> Explained:
        """Whom it would reach, and why; `former` are the names that its repository had before."""
        telling = Telling(provider, source, outcome, "", former=former)
        events = self._events(telling) if outcome.notify else []
        push = Push(events, complete_paths(outcome), self._clock())
        told = await reach(self._registry, push)
        why = explain(outcome, *told, known=self._registry.loaded).as_json()
        return await told_by_old_name(why, outcome, former, self._registry, push)

    async def tell(self, telling: Telling) -> Told:
        """
        Tell it.

        Raises:
            LogUnavailable: it was not stored.
        """
        outcome, now = telling.outcome, self._clock()
        events = self._events(telling)
        if telling.is_asked_for:
            events = list(map(_as_news, events))
        explanation = await self._explanation(telling, events, now)
        trace_ids = [event.trace_id for event in events]
        record = DeliveryRecord(
            received_at=now,
            provider=telling.provider,
            source=telling.source,
            delivery_id=outcome.delivery_id,
            event=outcome.event,
            verdict=explanation["verdict"],
            explanation=explanation,
            repeat_explanation=explain_repeat(explanation),
            payload=telling.payload,
            details=details_by_hand(telling.details, telling.payload, trace_ids),
        )
        appended = await self._log.append(record, events)
        return Told(appended.delivery or None, explanation, trace_ids, appended.duplicate)

    async def _explanation(
        self, telling: Telling, events: Sequence[NewEvent], now: datetime
    ) -> Explained:
        outcome, to = telling.outcome, telling.to
        push = Push(events, complete_paths(outcome), now)
        matched, nearest = await reach(self._registry, push)
        if to:
            matched = [name for name in matched if name == to]
            nearest = [miss for miss in nearest if miss.subscription == to]
        why = explain(outcome, matched, nearest, known=self._registry.loaded)
        told = await told_by_old_name(why.as_json(), outcome, telling.former, self._registry, push)
        return named_by_hand(told, telling.reason, to)

    def _events(self, telling: Telling) -> list[NewEvent]:
        return new_events(
            telling.outcome,
            origin=f"{self._public_url}/webhooks/{telling.provider}/{telling.source}",
            provider=telling.provider,
            received_at=self._clock(),
            to=telling.to,
            former=keys_of(telling.former),
        )


def change_of(
    ref: str, before: str | None = None, after: str | None = None, *, deleted: bool = False
) -> RefChange:
    """One ref that may have moved; without hashes it only says "look"."""
    kind, _, name = ref.removeprefix("refs/").partition("/")
    ref_type: RefType = "branch" if kind == "heads" else "tag" if kind == "tags" else "other"
    created = before is None and after is not None
    return RefChange(ref, ref_type, name, before, after, created=created, deleted=deleted)


def _as_news(event: NewEvent) -> NewEvent:
    own = f"{event.event_id} {event.trace_id}"
    return replace(event, event_id=own, delivery_key="", unsaid=True)
