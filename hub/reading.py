"""
From a request to what it means: the one way there, for the hub and for `directcd explain`.

First the signature, then the sender: nobody is told anything about a source before the source's
secret was proved.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from adapters import Outcome, Request
from adapters.registry import Adapter
from adapters.sender import other_sender
from hub.problem import Problem
from hub.secrets import Secret


class Readable(Protocol):
    """What deliveries are read for: a configured source, or a recording's reader."""

    @property
    def name(self) -> str:
        """The last part of its URL."""
        ...

    @property
    def adapter(self) -> Adapter:
        """Its provider's."""
        ...

    @property
    def insecure(self) -> bool:
        """Are signatures left unchecked?"""
        ...

    def secrets(self) -> Sequence[Secret]:
        """Every secret that verifies a delivery now, the current one first."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """What a delivery means, and the secret that signed it (None when unchecked)."""

    outcome: Outcome
    secret: Secret | None


def read(source: Readable, request: Request) -> Reading:
    """
    Verify a delivery unless the source takes unsigned ones, and say what it means.

    Raises:
        AdapterError: refused by the source's provider; BadSignature among them.
        Problem: signed, but sent by another kind of forge.
        SecretFileError: the source has no secret that can be read.
    """
    secret = None if source.insecure else signer(source, request)
    return Reading(meaning(source, request), secret)


def signer(source: Readable, request: Request) -> Secret:
    """
    The secret that signed a delivery.

    Raises:
        BadSignature: none did.
        SecretFileError: the source has no secret that can be read.
    """
    secrets = source.secrets()
    return secrets[source.adapter.verify(request, [secret.value for secret in secrets])]


def meaning(source: Readable, request: Request) -> Outcome:
    """
    What a delivery says, whoever signed it.

    Raises:
        AdapterError: not what the source's provider sends.
        Problem: it has the headers of another kind of forge.
    """
    sender = other_sender(source.adapter.name, request)
    if sender:
        raise _mismatch(source, sender)
    return source.adapter.parse(request)


def _mismatch(source: Readable, sender: str) -> Problem:
    provider = source.adapter.name
    return Problem(
        400,
        "provider-mismatch",
        f"the delivery has the headers of {sender}, but this is a source of {provider}",
        (
            f'set provider = "{sender}" in [hub.sources.{source.name}] '
            f"and give the webhook the URL /webhooks/{sender}/{source.name}"
        ),
    )
