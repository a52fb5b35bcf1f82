"""
GitHub and GitHub Enterprise.

Sources: https://docs.github.com/webhooks/webhook-events-and-payloads and
https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
"""

from collections.abc import Mapping, Sequence

from adapters import refs
from adapters.delivery import Kind, Outcome
from adapters.headers import delivery_id, event_name
from adapters.payload import decode, json_text
from adapters.shapes import AnyShape, NamedRefShape, PushShape, paths_of, repository_of
from adapters.signature import matching_secret

_OTHER: tuple[Kind, str] = ("other", "Events of this kind say nothing about pushed refs.")
_QUIET: dict[str, tuple[Kind, str]] = {
    "create": ("create", "GitHub also sends a push event for the same new ref."),
    "delete": ("delete", "GitHub also sends a push event for the same deleted ref."),
    "ping": ("ping", "GitHub asks whether this address answers."),
    "repository": ("repository", "The repository's settings changed, not its content."),
}


class PushPayload(PushShape):
    """GitHub alone says whether a push was forced."""

    forced: bool | None = None


class GitHub:
    """GitHub signs the raw body, also when it is a form, and delivers one ref at a time."""

    name = "github"

    def verify(
        self,
        headers: Mapping[str, str],
        body: bytes,
        secrets: Sequence[str | bytes],
        *,
        query: str = "",  # noqa: ARG002 - GitHub never delivers by GET
    ) -> int:
        """
        Return the index of the secret that signed the delivery; SHA-1 is never looked at.

        Raises:
            BadSignature: signed with none of the secrets, or not at all.
        """
        return matching_secret(
            headers,
            "x-hub-signature-256",
            body,
            secrets,
            prefix="sha256=",
            body_length=len(body),
        )

    def parse(
        self,
        headers: Mapping[str, str],
        body: bytes,
        *,
        query: str = "",  # noqa: ARG002 - GitHub never delivers by GET
    ) -> Outcome:
        """
        Return what a delivery means.

        Raises:
            MalformedDelivery: no event name, or no payload of the event's shape.
            UnsupportedContentType: neither JSON nor a form.
        """
        event = event_name(headers, "x-github-event")
        identifier = delivery_id(headers, "x-github-delivery")
        text = json_text(headers, body)
        if event == "push":
            return _push(text, identifier)
        if event in {"create", "delete"}:
            return _named_ref(event, text, identifier)
        return _other(event, text, identifier)


def _push(text: bytes, identifier: str) -> Outcome:
    payload = decode(PushPayload, text)
    head = payload.head_commit.id if payload.head_commit else None
    change = refs.pushed(
        payload.ref,
        payload.before,
        payload.after,
        forced=payload.forced,
        head=head,
    )
    kind, notify, reason = refs.push_verdict(change)
    commits = payload.commits or ()
    return Outcome(
        kind=kind,
        notify=notify,
        reason=reason,
        delivery_id=identifier,
        event="push",
        repository=repository_of(payload.repository),
        changes=(change,),
        commits_listed=len(commits),
        paths=paths_of(commits),
    )


def _named_ref(event: str, text: bytes, identifier: str) -> Outcome:
    payload = decode(NamedRefShape, text)
    deleted = event == "delete"
    change = refs.named(payload.ref_type, payload.ref, after=None, deleted=deleted)
    kind, reason = _QUIET[event]
    return Outcome(
        kind=kind,
        notify=False,
        reason=reason,
        delivery_id=identifier,
        event=event,
        repository=repository_of(payload.repository),
        changes=(change,),
    )


def _other(event: str, text: bytes, identifier: str) -> Outcome:
    payload = decode(AnyShape, text)
    kind, reason = _QUIET.get(event, _OTHER)
    return Outcome(
        kind=kind,
        notify=False,
        reason=reason,
        delivery_id=identifier,
        event=event,
        repository=repository_of(payload.repository) if payload.repository else None,
    )


ADAPTER = GitHub()
