"""
The use case of one delivery: verify, normalise, remember and publish, explain.

Nothing is stored before the signature holds, and nothing is answered with success before the log
has it on disk.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from adapters import AdapterError, BadSignature, Outcome, Request, UnsupportedContentType
from adapters.sender import other_sender
from hub.explaining import Explanation, explain, explain_repeat
from hub.log.base import Appended, DeliveryRecord, Log, LogUnavailable, NewEvent
from hub.notification import new_events
from hub.problem import Problem
from hub.reading import Reading, read
from hub.rotation import OlderSecrets
from hub.secrets import Secret, SecretFileError
from hub.sources import Source
from hub.subscriptions import Mismatch, Registry

logger = logging.getLogger(__name__)

LARGE_BYTES = 256 * 1024  # about 3 ms to verify and parse
MANY_REFS = 100  # about 2 ms of notifications

T = TypeVar("T")

STATUS = {"matched": 202, "no-match": 202, "ignored": 202, "ping": 200, "duplicate": 200}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook POST as it came, and the source at whose URL it arrived."""

    source: Source
    request: Request
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
        self._older_secrets = OlderSecrets()

    async def receive(self, delivery: Delivery) -> Accepted:
        """
        Take one delivery in.

        Returns:
            The answer; by then the delivery and its events are on disk.

        Raises:
            Problem: not accepted, nothing stored.
        """
        reading = await _aside(LARGE_BYTES, len(delivery.request.body), _read, delivery)
        outcome = _limited(reading.outcome, delivery.source)
        events = await _aside(MANY_REFS, len(outcome.changes), self._events, delivery, outcome)
        explanation = explain(outcome, *self._match(events, delivery.received_at))
        record = _record(delivery, outcome, explanation, reading.secret)
        appended = await self._append(record, events)
        self._older_secrets.notice(delivery.source, reading.secret, delivery.received_at)
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
        path = f"/webhooks/{provider}/{name}"[:200]
        detail = f"several sources answer below {path}" if named else f"no source answers at {path}"
        step = "compare the webhook's URL with [hub.sources] in directcd.toml"
        raise Problem(404, "unknown-source", detail, step)

    def _events(self, delivery: Delivery, outcome: Outcome) -> list[NewEvent]:
        if not outcome.notify:
            return []
        source = delivery.source
        origin = f"{self._public_url}/webhooks/{source.provider}/{source.name}"
        return new_events(
            outcome, origin=origin, provider=source.provider, received_at=delivery.received_at
        )

    def _match(self, events: list[NewEvent], now: datetime) -> tuple[list[str], list[Mismatch]]:
        if not events:
            return [], []
        return self._registry.match(events[0].keys, [event.ref for event in events], now)

    async def _append(self, record: DeliveryRecord, events: list[NewEvent]) -> Appended:
        try:
            return await self._log.append(record, events)
        except LogUnavailable as error:
            logger.exception("delivery not stored", extra={"source": record.source})
            raise Problem(
                503,
                "log-unavailable",
                "the delivery could not be stored, so it was not accepted",
                "send it again later; the hub's log says what its disk is missing",
            ) from error


async def _aside(limit: int, size: int, work: Callable[..., T], *arguments: Any) -> T:
    # Only what is large is worth a thread, and must not keep every stream waiting.
    if size <= limit:
        return work(*arguments)
    return await asyncio.to_thread(work, *arguments)


def _record(
    delivery: Delivery, outcome: Outcome, explanation: Explanation, secret: Secret | None
) -> DeliveryRecord:
    return DeliveryRecord(
        received_at=delivery.received_at,
        provider=delivery.source.provider,
        source=delivery.source.name,
        delivery_id=outcome.delivery_id,
        event=outcome.event,
        verdict=explanation.verdict,
        explanation=explanation.as_json(),
        repeat_explanation=explain_repeat(explanation).as_json(),
        signed_by=secret.place if secret else "",
        secret_mark=secret.mark if secret else "",
    )


def _read(delivery: Delivery) -> Reading:
    source = delivery.source
    try:
        return read(source, delivery.request)
    except BadSignature as error:
        if source.in_trouble:  # perhaps it was signed with the secret that cannot be read
            raise _unreadable() from error
        # The usual cause, and none of a stranger's business.
        hint = {"sent_by": other_sender(source.provider, delivery.request)}
        raise Problem(401, error.code, error.detail, error.next_step, log_keys=hint) from error
    except AdapterError as error:
        status = 415 if isinstance(error, UnsupportedContentType) else 400
        raise Problem(status, error.code, error.detail, error.next_step) from error
    except SecretFileError as error:
        raise _unreadable() from error


def _unreadable() -> Problem:
    return Problem(
        503,
        "secret-unavailable",
        "this hub cannot read one of its secrets",
        "the hub's log names the file; mend it, no restart is needed",
    )


def _limited(outcome: Outcome, source: Source) -> Outcome:
    """The outcome with the keys that the source speaks for."""
    if outcome.repository is None:
        return outcome
    repository = source.named(outcome.repository)
    if outcome.notify and not repository.keys:
        raise Problem(
            400,
            "malformed-delivery",
            "the delivery names its repository by no URL that can be understood",
            f"set base_url in [hub.sources.{source.name}] to the forge's address, "
            "or correct the forge's own root URL setting",
        )
    keys = source.spoken_for(repository.keys)
    if repository.keys and not keys:
        raise Problem(
            403,
            "repository-not-allowed",
            f"source {source.name} does not speak for {', '.join(sorted(repository.keys))}",
            f"add the repository to hub.sources.{source.name}.repositories",
        )
    if keys != repository.keys:
        repository = replace(repository, keys=keys)
    return outcome if repository is outcome.repository else replace(outcome, repository=repository)


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
