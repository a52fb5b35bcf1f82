"""
What one recorded delivery means, by the hub's own way of reading it: offline, for a person.

Unlike the hub this shows a delivery whose signature is wrong: whoever has the recording may read
it, and what it would have meant is often the reason.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from adapters import AdapterError, BadSignature, Outcome, RefChange, Request
from adapters.registry import Adapter
from hub.problem import Problem
from hub.reading import meaning, signer
from hub.secrets import Secret


@dataclass(frozen=True, slots=True)
class Recording:
    """Stands for the source of a recording: a provider, and the secrets of some files."""

    adapter: Adapter
    given: Sequence[Secret] = ()
    name: str = "NAME"

    @property
    def insecure(self) -> bool:
        """Whether nothing is checked: without secrets."""
        return not self.given

    def secrets(self) -> Sequence[Secret]:
        """Those of the files, in the order they were given."""
        return self.given


@dataclass(frozen=True, slots=True)
class Explained:
    """
    What is known of a recorded delivery.

    Attributes:
        provider: whose delivery it is taken for.
        checked: whether there were secrets to check the signature with.
        signed_by: the file of the secret that signed it, "" when none did.
        refused: why the signature does not hold, None when it does or was not checked.
        error: why the delivery means nothing here, None when it means something.
        outcome: what it means; with a wrong signature, what it would mean.
    """

    provider: str
    checked: bool
    signed_by: str
    refused: BadSignature | None
    error: AdapterError | Problem | None
    outcome: Outcome | None

    def as_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        valid = self.refused is None if self.checked else None
        secret = self.signed_by or None
        error = self.error or self.refused
        return {
            "provider": self.provider,
            "signature": {"checked": self.checked, "valid": valid, "secret": secret},
            "outcome": _document(self.outcome) if self.outcome else None,
            "error": _problem(error) if error else None,
        }

    def lines(self) -> Iterator[str]:
        """A table for people; nothing in it can move a terminal's cursor."""
        for name, value in self._rows():
            yield f"{name:12}{_plain(value)}".rstrip()

    def _rows(self) -> Iterator[tuple[str, str]]:
        yield "provider", self.provider
        yield from self._signature_rows()
        if self.refused:
            yield "", "What it would mean if it were signed:"
        if self.error:
            yield "verdict", f"refused, {self.error.code}"
            yield "reason", self.error.detail
            yield "next", self.error.next_step
        if self.outcome:
            yield from _outcome_rows(self.outcome)

    def _signature_rows(self) -> Iterator[tuple[str, str]]:
        if not self.checked:
            yield "signature", "not checked (--secret-file FILE checks it)"
            return
        if self.refused:
            yield "signature", f"WRONG: {self.refused.detail}"
            yield "", self.refused.next_step
            yield "", "Or the body is no longer what was sent: a final newline, other white space."
        else:
            yield "signature", f"valid, made with the secret in {self.signed_by}"
        yield "", "The age of signed timestamps is not checked: recordings are old."


def explain(adapter: Adapter, request: Request, secrets: Sequence[Secret]) -> Explained:
    """
    Read a recorded delivery as the hub would, and go on where the hub would stop.

    Args:
        adapter: whose delivery this is taken for.
        request: without the time of its receipt.
        secrets: none to leave the signature unchecked.
    """
    source = Recording(adapter, secrets)
    signed_by, refused = _signature(source, request)
    error: AdapterError | Problem | None = None
    outcome = None
    try:
        outcome = meaning(source, request)
    except (AdapterError, Problem) as found:
        error = found
    return Explained(adapter.name, bool(secrets), signed_by, refused, error, outcome)


def _signature(source: Recording, request: Request) -> tuple[str, BadSignature | None]:
    if source.insecure:
        return "", None
    try:
        return signer(source, request).place, None
    except BadSignature as error:
        return "", error


def _document(outcome: Outcome) -> dict[str, Any]:
    document = asdict(outcome) | {"paths": sorted(outcome.paths), "test": outcome.test}
    if outcome.repository:
        document["repository"]["keys"] = sorted(outcome.repository.keys)
    return document


def _problem(error: AdapterError | Problem) -> dict[str, str]:
    return {"code": error.code, "detail": error.detail, "next": error.next_step}


def _outcome_rows(outcome: Outcome) -> Iterator[tuple[str, str]]:
    yield "verdict", _verdict(outcome)
    yield "reason", outcome.reason
    yield "event", f"{outcome.event} ({outcome.kind})"
    yield "delivery", outcome.delivery_id or "without an id"
    if outcome.repository:
        yield "repository", outcome.repository.full_name or "without a name"
        for key in sorted(outcome.repository.keys) or ["no key: set base_url at its source"]:
            yield "  key", key
    for change in outcome.changes:
        yield "change", _change(change)
    if outcome.commits_listed is not None:
        yield "commits", _commits(outcome)


def _verdict(outcome: Outcome) -> str:
    if not outcome.notify:
        return "nobody is told"
    named = outcome.repository and outcome.repository.keys
    return "subscribers are told" if named else "refused, unless its source has a base_url"


def _change(change: RefChange) -> str:
    words = [word for word in ("created", "deleted", "forced") if getattr(change, word)]
    moved = f"{_hash(change.before)} -> {_hash(change.after)}"
    commit = [f"commit {change.commit}"] if change.commit else []
    return " ".join([change.ref, moved, *words, *commit])


def _hash(value: str | None) -> str:
    return value or "none"


def _commits(outcome: Outcome) -> str:
    total = "" if outcome.commits_total is None else f" of {outcome.commits_total}"
    cut = ", the list is cut off" if outcome.truncated else ""
    return f"{outcome.commits_listed}{total} listed{cut}"


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
