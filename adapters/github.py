"""
GitHub and GitHub Enterprise.

Sources: https://docs.github.com/webhooks/webhook-events-and-payloads and
https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
"""

import msgspec

from adapters import refs
from adapters.delivery import Kind, Outcome
from adapters.outcomes import Listed, pushed, unremarkable
from adapters.payload import decode, decode_if_fitting, json_text
from adapters.request import Request
from adapters.shapes import AnyShape, Commits, NamedRefShape, PushShape, listed, repository_of
from adapters.signature import Secrets, matching_secret

MOST_COMMITS = 2048  # listed of one push

_PUSH = msgspec.json.Decoder(PushShape)
_NAMED_REF = msgspec.json.Decoder(NamedRefShape)
_ANY = msgspec.json.Decoder(AnyShape)
_NAMED: dict[str, tuple[Kind, str]] = {
    "create": ("create", "GitHub also sends a push event for the same new ref."),
    "delete": ("delete", "GitHub also sends a push event for the same deleted ref."),
}
_QUIET: dict[str, tuple[Kind, str]] = {
    "ping": ("ping", "GitHub asks whether this address answers."),
    "repository": ("repository", "The repository's settings changed, not its content."),
}


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
    return unremarkable(event, delivery_id, whose, kind=kind, reason=reason)


ADAPTER = GitHub()
