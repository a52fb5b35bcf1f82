"""
GitHub and GitHub Enterprise.

Sources: https://docs.github.com/webhooks/webhook-events-and-payloads and
https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
"""

from dataclasses import replace

import msgspec

from adapters import refs
from adapters.delivery import Kind, Outcome
from adapters.outcomes import Listed, pushed, unremarkable
from adapters.payload import decode, decode_if_fitting, json_text
from adapters.repositories import plain
from adapters.request import Request
from adapters.shapes import (
    AnyShape,
    Commits,
    NamedRefShape,
    OptionalText,
    PushShape,
    RepositoryShape,
    Shape,
    listed,
    repository_of,
)
from adapters.signature import Secrets, matching_secret

MOST_COMMITS = 2048  # listed of one push


class FromNameShape(Shape):
    """A repository's name as it was."""

    name: "FromTextShape | None" = None


class FromTextShape(Shape):
    """A text as it was."""

    text: OptionalText = msgspec.field(name="from", default=None)


class OwnerShape(Shape):
    """A user or an organisation."""

    login: OptionalText = None


class OwnersShape(Shape):
    """The owner, who is one of the two."""

    user: OwnerShape | None = None
    organization: OwnerShape | None = None


class FromOwnerShape(Shape):
    """A repository's owner as it was."""

    owners: OwnersShape | None = msgspec.field(name="from", default=None)


class ChangesShape(Shape):
    """What was changed of a repository."""

    repository: FromNameShape | None = None
    owner: FromOwnerShape | None = None


class ChangedShape(Shape):
    """A repository whose settings changed."""

    repository: RepositoryShape
    changes: ChangesShape


_PUSH = msgspec.json.Decoder(PushShape)
_NAMED_REF = msgspec.json.Decoder(NamedRefShape)
_ANY = msgspec.json.Decoder(AnyShape)
_CHANGED = msgspec.json.Decoder(ChangedShape)
_NAMED: dict[str, tuple[Kind, str]] = {
    "create": ("create", "GitHub also sends a push event for the same new ref."),
    "delete": ("delete", "GitHub also sends a push event for the same deleted ref."),
}
_QUIET: dict[str, tuple[Kind, str]] = {
    "ping": ("ping", "GitHub asks whether this address answers."),
    "repository": ("repository", "The repository's settings changed, not its content."),
}

_RENAMED = "The repository was renamed or transferred, not pushed to."


class GitHub:
    """GitHub signs the raw body, also when it is a form, and delivers one ref at a time."""

    name = "github"

    def verify(self, request: Request, secrets: Secrets) -> int:
        """Return the index of the secret that signed the delivery, or raise BadSignature."""
        # SHA-1 is never looked at.
        return matching_secret(
            request, "x-hub-signature-256", request.body, secrets, prefix="sha256="
        )

    def parse(self, request: Request) -> Outcome:
        """Return what a delivery means, or raise an AdapterError."""
        event = request.event_name("x-github-event")
        delivery_id = request.delivery_id("x-github-delivery")
        text = json_text(request)
        if event == "push":
            return _pushed(text, delivery_id)
        if event in _NAMED:
            return _named(event, text, delivery_id)
        return _other(event, text, delivery_id)


def _pushed(text: bytes, delivery_id: str) -> Outcome:
    payload = decode(_PUSH, text)
    head = payload.head_commit.id if payload.head_commit else None
    change = refs.moved(
        payload.ref, payload.before, payload.after, forced=payload.forced, head=head
    )
    return pushed(
        "push",
        delivery_id,
        repository_of(payload.repository),
        [change],
        _listed(payload.commits),
    )


def _listed(commits: Commits) -> Listed:
    # Up to the cap everything is listed: https://docs.github.com/webhooks/webhook-events-and-payloads#push
    # None at all may mean a new branch, a forced push, or that it listed none.
    whole = 0 < len(commits or ()) < MOST_COMMITS
    return listed(commits)._replace(truncated=False if whole else None)


def _named(event: str, text: bytes, delivery_id: str) -> Outcome:
    payload = decode_if_fitting(_NAMED_REF, text)
    if payload is None:
        return _other(event, text, delivery_id)
    change = refs.named(payload.ref_type, payload.ref, after=None, deleted=event == "delete")
    kind, reason = _NAMED[event]
    whose = repository_of(payload.repository)
    return unremarkable(event, delivery_id, whose, kind=kind, reason=reason, changes=(change,))


def _other(event: str, text: bytes, delivery_id: str) -> Outcome:
    payload = decode_if_fitting(_ANY, text)
    whose = repository_of(payload.repository) if payload and payload.repository else None
    if event not in _QUIET:
        return unremarkable(event, delivery_id, whose)
    kind, reason = _QUIET[event]
    outcome = unremarkable(event, delivery_id, whose, kind=kind, reason=reason)
    former = _former_name(text) if event == "repository" else ""
    return replace(outcome, reason=_RENAMED, former_name=former) if former else outcome


def _former_name(text: bytes) -> str:
    """The full name a repository had before it was renamed or transferred."""
    payload = decode_if_fitting(_CHANGED, text)
    if payload is None:
        return ""
    owner, _, name = plain(payload.repository.full_name).partition("/")
    changes = payload.changes
    if changes.repository and changes.repository.name:
        name = plain(changes.repository.name.text)
    elif changes.owner and changes.owner.owners:
        owners = changes.owner.owners
        whose = owners.organization or owners.user
        owner = plain(whose.login) if whose else ""
    else:
        return ""
    return f"{owner}/{name}" if owner and name else ""


ADAPTER = GitHub()
