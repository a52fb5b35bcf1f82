"""
The use case of one delivery: verify, normalise, remember and publish, explain.

Nothing is stored before the signature holds, and nothing is answered with success before the log
has it on disk.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from adapters import AdapterError, BadSignature, Outcome, UnsupportedContentType, parse, verify
from hub.explaining import Explanation, explain, explain_repeat
from hub.log.base import Appended, DeliveryRecord, Log, LogUnavailable, NewEvent
from hub.notification import new_events
from hub.problem import Problem
from hub.sources import SecretFileError, Source
from hub.subscriptions import Mismatch, Registry

logger = logging.getLogger(__name__)

STATUS = {"matched": 202, "no-match": 202, "ignored": 202, "ping": 200, "duplicate": 200}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook POST as it came: header names in lower case, body untouched."""

    source: Source
    headers: Mapping[str, str]
    body: bytes
    query: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the sender of an accepted delivery is told."""

    status: int
    explanation: Explanation
    number: int


class Receiver:
    """Receives deliveries for all sources of one hub."""

    def __init__(
        self,
        sources: Sequence[Source],
        log: Log,
        registry: Registry,
        *,
        public_url: str,
    ) -> None:
        self._sources = sources
        self._log = log
        self._registry = registry
        self._public_url = public_url

    async def receive(self, delivery: Delivery) -> Accepted:
        """
        Take one delivery in.

        Returns:
            The answer; by then the delivery and its events are on disk.

        Raises:
            Problem: not accepted, nothing stored.
        """
        outcome = _limited(_read(delivery), delivery.source)
        events = self._events(delivery, outcome)
        explanation = explain(outcome, *self._match(events, delivery.received_at))
        appended = await self._append(delivery, outcome, explanation, events)
        if appended.duplicate:
            explanation = explain_repeat(explanation)
        _log_line(delivery.source, explanation)
        return Accepted(STATUS[explanation.verdict], explanation, appended.delivery)

    def source(self, provider: str, name: str) -> Source:
        """
        The source at `/webhooks/{provider}/{name}`; without a name, the provider's only one.

        Raises:
            Problem: there is none.
        """
        named = [
            source
            for source in self._sources
            if source.provider == provider and name in {source.name, ""}
        ]
        if len(named) == 1:
            return named[0]
        raise Problem(
            404,
            "unknown-source",
            f"no source answers at /webhooks/{provider}/{name}"[:200],
            "compare the webhook's URL with [hub.sources] in directcd.toml",
        )

    def _events(self, delivery: Delivery, outcome: Outcome) -> list[NewEvent]:
        if not outcome.notify:
            return []
        source = delivery.source
        origin = f"{self._public_url}/webhooks/{source.provider}/{source.name}"
        return new_events(
            outcome, origin=origin, provider=source.provider, received_at=delivery.received_at
        )

    def _match(self, events: list[NewEvent], now: datetime) -> tuple[list[str], list[Mismatch]]:
        matches = [self._registry.match(event.keys, event.ref, now) for event in events]
        matched = sorted({name for names, _ in matches for name in names})
        return matched, [miss for _, misses in matches for miss in misses]

    async def _append(
        self,
        delivery: Delivery,
        outcome: Outcome,
        explanation: Explanation,
        events: list[NewEvent],
    ) -> Appended:
        record = DeliveryRecord(
            received_at=delivery.received_at,
            provider=delivery.source.provider,
            source=delivery.source.name,
            delivery_id=outcome.delivery_id,
            event=outcome.event,
            verdict=explanation.verdict,
            explanation=explanation.as_json(),
            repeat_explanation=explain_repeat(explanation).as_json(),
        )
        try:
            return await self._log.append(record, events)
        except LogUnavailable as error:
            logger.exception("delivery not stored", extra={"source": delivery.source.name})
            raise Problem(
                503,
                "log-unavailable",
                "the delivery could not be stored, so it was not accepted",
                "send it again later; the hub's log says what its disk is missing",
            ) from error


def _read(delivery: Delivery) -> Outcome:
    source = delivery.source
    try:
        if not source.insecure:
            secrets = source.secrets()
            verify(source.provider, delivery.headers, delivery.body, secrets, query=delivery.query)
        return parse(source.provider, delivery.headers, delivery.body, query=delivery.query)
    except AdapterError as error:
        raise Problem(_status(error), error.code, error.detail, error.next_step) from error
    except SecretFileError as error:
        logger.exception("secret not readable", extra={"source": source.name})
        raise Problem(
            503,
            "secret-unavailable",
            "this hub cannot read its own secret",
            "the hub's log names the file; mend it, no restart is needed",
        ) from error


def _status(error: AdapterError) -> int:
    if isinstance(error, BadSignature):
        return 401
    return 415 if isinstance(error, UnsupportedContentType) else 400


def _limited(outcome: Outcome, source: Source) -> Outcome:
    """The outcome with the keys that the source speaks for."""
    if outcome.repository is None:
        return outcome
    named = outcome.repository.keys
    if outcome.notify and not named:
        raise Problem(
            400,
            "malformed-delivery",
            "the delivery names its repository by no URL that can be understood",
            "see the forge's own root URL setting",
        )
    keys = source.spoken_for(named)
    if named and not keys:
        raise Problem(
            403,
            "repository-not-allowed",
            f"source {source.name} does not speak for {', '.join(sorted(named))}",
            f"add the repository to hub.sources.{source.name}.repositories",
        )
    return replace(outcome, repository=replace(outcome.repository, keys=keys))


def _log_line(source: Source, explanation: Explanation) -> None:
    event: dict[str, Any] = explanation.event or {}
    logger.info(
        "delivery",
        extra={
            "verdict": explanation.verdict,
            "provider": source.provider,
            "source": source.name,
            "delivery": explanation.delivery,
            "repository": event.get("repository", ""),
            "ref": event.get("ref", ""),
            "matched": ",".join(explanation.matched),
        },
    )
