"""
The use case of one delivery: verify, normalise, remember and publish, explain.

Nothing is stored before the signature holds, and nothing is answered with success before the log
has it on disk.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters import BadSignature, Outcome, Request
from hub.explaining import Explained, explain
from hub.log.base import Log, LogUnavailable
from hub.log.delivered import STATUS
from hub.log.spool_files import SpoolFull
from hub.log.values import Appended, DeliveryRecord, NewEvent
from hub.names import keys_of
from hub.notification import complete_paths, new_events
from hub.problem import Problem
from hub.reaching import Push, reach
from hub.reading import Reading
from hub.recording import LARGE_BYTES, Laps, Understood, aside, recorded
from hub.refusing import Refusals
from hub.renaming import Renames, told_by_old_name
from hub.rotation import OlderSecrets
from hub.sources import Source
from hub.subscriptions import Registry
from hub.throttling import BadSignatures
from hub.verifying import Delivery, read_delivery, read_kept, unsignable

logger = logging.getLogger(__name__)

MANY_REFS = 100  # about 2 ms of notifications

SOURCES_SAID = 10  # to whoever runs the hub, of a delivery that found none

TRACES_SAID = 10  # in the line of a delivery that has more

SPOOLED = "; kept on this hub's disk until its log is back"


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    What the sender of an accepted delivery is told.

    Attributes:
        status: of the HTTP answer.
        explanation: why it reached whom, as plain values.
        number: under which it can be looked up; None while only this hub's disk has it.
        took_ms: from its headers until it was on disk.
    """

    status: int
    explanation: Explained
    number: int | None
    took_ms: float


class Receiver:
    """
    Receives deliveries for all sources of one hub.

    Attributes:
        public_url: how forges reach the hub; "" when nobody has said.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        log: Log,
        registry: Registry,
        renames: Renames,
        *,
        public_url: str,
    ) -> None:
        self._sources = sources
        self._log = log
        self._registry = registry
        self._renames = renames
        self.public_url = public_url
        self._older_secrets = OlderSecrets()
        self._bad_signatures = BadSignatures()
        self._refusals = Refusals()

    def worth_reading(self, source: Source, request: Request) -> None:
        """
        Look at the headers of a large delivery, whose body is still to come.

        Raises:
            Problem: whatever the body is, it will not be signed.
        """
        refused = unsignable(source, request)
        if refused is not None:
            raise self._answered(source, refused)

    async def receive(self, delivery: Delivery) -> Accepted:
        """
        Take one delivery in.

        Returns:
            The answer; by then the delivery and its events are on disk.

        Raises:
            Problem: not accepted, nothing stored.
        """
        laps = Laps({"read_ms": delivery.read_ms})
        reading = await self._read(delivery)
        laps.end("understood_ms")
        outcome = limited(reading.outcome, delivery.source)
        former = await self._renames.notice(delivery.source, outcome)
        events = await aside(
            MANY_REFS, len(outcome.changes), self._events, delivery, outcome, keys_of(former)
        )
        push = Push(events, complete_paths(outcome), delivery.received_at)
        told = await reach(self._registry, push)
        explanation = explain(outcome, *told, known=self._registry.loaded).as_json()
        if former:
            explanation = await told_by_old_name(explanation, outcome, former, self._registry, push)
        laps.end("explained_ms")
        understood = Understood(outcome, reading.secret, explanation, events, laps)
        record = await recorded(delivery, understood)
        appended = await self._append(record, events)
        self._older_secrets.notice(delivery.source, reading.secret, delivery.received_at)
        laps.end("stored_ms")
        return _accepted(delivery, understood, record, appended)

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
        known = [f"/webhooks/{one.provider}/{one.name}" for one in self._sources[:SOURCES_SAID]]
        advice = f"let the webhook post to one of this hub's sources: {', '.join(known)}"
        raise Problem(404, "unknown-source", detail, step, advice=advice if known else "")

    async def _read(self, delivery: Delivery) -> Reading:
        found = await self._reading(delivery)
        if isinstance(found, Reading):
            return found
        raise self._answered(delivery.source, found)

    def _answered(self, source: Source, refused: Problem) -> Problem:
        if refused.code != BadSignature.code:
            return refused
        return self._bad_signatures.answer(source.name, refused)

    async def _reading(self, delivery: Delivery) -> Reading | Problem:
        kept_body = delivery.kept_body
        if kept_body is not None:
            # Of what nobody has verified yet, memory holds one at a time.
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(kept_body.reader, read_kept, delivery, kept_body)
        if len(delivery.request.body) > LARGE_BYTES:
            return await asyncio.to_thread(read_delivery, delivery)
        return read_delivery(delivery)

    def _events(
        self, delivery: Delivery, outcome: Outcome, former: frozenset[str]
    ) -> list[NewEvent]:
        if not outcome.notify:
            return []
        source = delivery.source
        origin = f"{self.public_url}/webhooks/{source.provider}/{source.name}"
        return new_events(
            outcome,
            origin=origin,
            provider=source.provider,
            received_at=delivery.received_at,
            former=former,
        )

    async def _append(self, record: DeliveryRecord, events: list[NewEvent]) -> Appended:
        try:
            return await self._log.append(record, events)
        except LogUnavailable as error:
            self._refusals.note(record.source, error)
            disk = "send it again later; the hub's log says what its disk is missing"
            raise Problem(
                503,
                "log-unavailable",
                "the delivery could not be stored, so it was not accepted",
                error.next_step if isinstance(error, SpoolFull) else disk,
            ) from error


def _accepted(
    delivery: Delivery, understood: Understood, record: DeliveryRecord, appended: Appended
) -> Accepted:
    explanation = record.repeat_explanation if appended.duplicate else record.explanation
    status = STATUS[explanation["verdict"]]
    took_ms = round(sum(understood.laps.ms.values()), 3)
    if appended.spooled:
        explanation = explanation | {"reason": explanation["reason"] + SPOOLED}
        status = 202
    number = None if appended.spooled else appended.delivery
    accepted = Accepted(status, explanation, number, took_ms)
    _log_line(delivery, understood, record, accepted)
    return accepted


def limited(outcome: Outcome, source: Source) -> Outcome:
    """
    The outcome with the keys that the source speaks for.

    Raises:
        Problem: it speaks for none of them.
    """
    if outcome.repository is None:
        return outcome
    repository = source.named(outcome.repository)
    if outcome.notify and not repository.keys:
        raise Problem(
            400,
            "malformed-delivery",
            "the delivery names its repository by no URL that can be understood",
            f"give `repository` an http, ssh or git URL; if a forge sends this, set base_url in "
            f"[hub.sources.{source.name}] to its address, or correct its own root URL setting",
        )
    keys = source.spoken_for(repository.keys)
    if repository.keys and not keys:
        raise Problem(
            403,
            "repository-not-allowed",
            f"source {source.name} does not speak for {', '.join(sorted(repository.keys))}",
            f"add the repository to hub.sources.{source.name}.repositories or, if that is the "
            f"forge's internal name, its public one to hub.sources.{source.name}.host_aliases",
        )
    if keys != repository.keys:
        repository = replace(repository, keys=keys)
    return outcome if repository is outcome.repository else replace(outcome, repository=repository)


def _log_line(
    delivery: Delivery, understood: Understood, record: DeliveryRecord, accepted: Accepted
) -> None:
    explanation = accepted.explanation
    event: dict[str, Any] = explanation["event"] or {}
    kept = delivery.kept_body
    logger.info(
        "delivery",
        extra={
            "delivery": accepted.number,
            "verdict": explanation["verdict"],
            "status": accepted.status,
            "provider": record.provider,
            "source": record.source,
            "delivery_id": record.delivery_id,
            "repository": event.get("repository", ""),
            "ref": event.get("ref", ""),
            "commit": event.get("after"),
            "matched": ",".join(explanation["matched"]),
            "trace_id": ",".join([one.trace_id for one in understood.events[:TRACES_SAID]]),
            "bytes": kept.size if kept else len(delivery.request.body),
            "ms": accepted.took_ms,
        },
    )
