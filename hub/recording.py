"""What is remembered of an accepted delivery: its explanation, and how it came."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, TypeVar

import msgspec

from adapters import Outcome
from hub.explaining import Explained, explain_repeat
from hub.keeping import PAYLOAD_BYTES, details, kept_payload
from hub.log.values import DeliveryRecord, NewEvent
from hub.secrets import Secret
from hub.verifying import Delivery

T = TypeVar("T")

_ENCODE = msgspec.json.Encoder().encode

LARGE_BYTES = 256 * 1024  # about 3 ms to verify and parse
BEYOND_BYTES = 64 * 1024  # looked at behind what is kept: a secret may lie across its end
MOST_TRACES = 100


@dataclass(slots=True)
class Laps:
    """How long each step took, in milliseconds."""

    ms: dict[str, float]
    _at: float = field(default_factory=perf_counter)

    def end(self, name: str) -> None:
        """A step ends here, and the next begins."""
        now = perf_counter()
        self.ms[name] = round((now - self._at) * 1000, 3)
        self._at = now


@dataclass(frozen=True, slots=True)
class Understood:
    """What a delivery means, who signed it, whom it reaches and with what events."""

    outcome: Outcome
    secret: Secret | None
    explanation: Explained
    events: Sequence[NewEvent]
    laps: Laps


async def recorded(delivery: Delivery, understood: Understood) -> DeliveryRecord:
    """The record of an accepted delivery."""
    size = len(delivery.request.body)
    kept_body = delivery.kept_body
    if kept_body is None:
        return await aside(LARGE_BYTES, size, _record, delivery, understood, size)
    loop, most = asyncio.get_running_loop(), PAYLOAD_BYTES + BEYOND_BYTES
    body = await loop.run_in_executor(kept_body.reader, kept_body.beginning, most)
    shortened = replace(delivery, request=replace(delivery.request, body=body))
    return await asyncio.to_thread(_record, shortened, understood, kept_body.size)


def details_by_hand(facts: Mapping[str, object], payload: bytes, trace_ids: Sequence[str]) -> bytes:
    """What is shown of a delivery that no forge has sent."""
    sizes = {"payload_bytes": len(payload), "payload_kept_bytes": len(payload)}
    return _ENCODE({"peer": "", "headers": [], **facts, **sizes, "trace_ids": trace_ids})


async def aside(limit: int, size: int, work: Callable[..., T], *arguments: Any) -> T:
    """The result of some work: what is large is worth a thread, lest every stream waits for it."""
    if size <= limit:
        return work(*arguments)
    return await asyncio.to_thread(work, *arguments)


def _record(delivery: Delivery, understood: Understood, size: int) -> DeliveryRecord:
    source, secret, outcome = delivery.source, understood.secret, understood.outcome
    secrets = (secret,) if secret else ()
    payload = kept_payload(delivery.request, secrets, unchecked=source.insecure)
    return DeliveryRecord(
        received_at=delivery.received_at,
        provider=source.provider,
        source=source.name,
        delivery_id=outcome.delivery_id,
        event=outcome.event,
        verdict=understood.explanation["verdict"],
        explanation=understood.explanation,
        repeat_explanation=explain_repeat(understood.explanation),
        signed_by=secret.place if secret else "",
        secret_mark=secret.mark if secret else "",
        payload=payload,
        details=details(
            delivery.request,
            secrets,
            peer=delivery.peer,
            payload_bytes=size or len(payload),  # Gitea can also deliver in the query
            payload_kept_bytes=len(payload),
            timings=understood.laps.ms,
            trace_ids=[event.trace_id for event in understood.events[:MOST_TRACES]],
        ),
    )
