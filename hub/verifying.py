"""
A delivery as it came, and what it means or why it is refused.

Refusals are returned and not raised: the frames that an exception came through would keep the body
in memory for as long as the answer takes, and the bodies are a stranger's.
"""

from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from adapters import AdapterError, BadSignature, Request, UnsupportedContentType
from adapters.sender import other_sender
from hub.problem import Problem
from hub.reading import Reading, read, signer
from hub.secrets import SecretFileError
from hub.sources import Source


class KeptBody(Protocol):
    """A body that is too large to be in memory for long."""

    @property
    def size(self) -> int:
        """Its bytes."""
        ...

    @property
    def reader(self) -> Executor:
        """The one thread that may have it in memory."""
        ...

    def read(self) -> bytes:
        """
        All of it; blocks.

        Raises:
            OSError: the disk does not give it back.
        """
        ...

    def beginning(self, size: int) -> bytes:
        """At most so many bytes of it; as `read`."""
        ...

    def close(self) -> None:
        """Forget it."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    One webhook POST as it came, and the source at whose URL it arrived.

    Attributes:
        source: whose URL.
        request: with an empty body while that is elsewhere.
        received_at: UTC.
        kept_body: where the body is; None when the request has it.
        peer: the address of its sender, "" when there is none.
        read_ms: how long it took to arrive, from its headers on.
    """

    source: Source
    request: Request
    received_at: datetime
    kept_body: KeptBody | None = None
    peer: str = ""
    read_ms: float = 0.0


def unsignable(source: Source, request: Request) -> Problem | None:
    """Why no body at all could be signed with these headers; None when one could."""
    try:
        if not source.insecure:
            signer(source, request)
    except BadSignature as error:
        if error.finding and not source.in_trouble:
            detail = f"{error.finding}; the body was not read."
            return Problem(401, error.code, detail, error.next_step)
    except SecretFileError:
        return _unreadable()
    return None


def read_delivery(delivery: Delivery) -> Reading | Problem:
    """What a delivery means and who signed it, or why it is refused."""
    source = delivery.source
    try:
        return read(source, delivery.request)
    except Problem as problem:
        # Not raised on: the frames it came through would keep the body in memory.
        return problem.with_traceback(None)
    except BadSignature as error:
        if source.in_trouble:  # perhaps it was signed with the secret that cannot be read
            return _unreadable()
        # The usual cause, and none of a stranger's business.
        sender = other_sender(source.provider, delivery.request)
        return Problem(
            401,
            error.code,
            error.detail,
            error.next_step,
            log_keys={"sent_by": sender},
            advice=_advice(source, sender),
        )
    except AdapterError as error:
        status = 415 if isinstance(error, UnsupportedContentType) else 400
        return Problem(status, error.code, error.detail, error.next_step)
    except SecretFileError:
        return _unreadable()


def _advice(source: Source, sender: str) -> str:
    """For whoever runs the hub, when another forge's webhook leads here."""
    if not sender:
        return ""
    return (
        f"its headers are those of {sender}, and {source.name} is a source of {source.provider}: "
        f"if the webhook is yours, let it post to a source of {sender}"
    )


def read_kept(delivery: Delivery, kept_body: KeptBody) -> Reading | Problem:
    """The same, of a delivery whose body is elsewhere; blocks."""
    try:
        body = kept_body.read()
    except OSError as error:
        return not_kept(f"the hub's disk does not give it back: {error.strerror}")
    return read_delivery(replace(delivery, request=replace(delivery.request, body=body)))


def not_kept(detail: str) -> Problem:
    """The hub has no room for a body, or lost it."""
    return Problem(503, "body-not-kept", detail, "make room there, or send it again later")


def _unreadable() -> Problem:
    return Problem(
        503,
        "secret-unavailable",
        "this hub cannot read one of its secrets",
        "the hub's log names the file; mend it, no restart is needed",
    )
