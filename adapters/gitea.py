"""
Gitea from 1.9 on, also for hooks of its types `gitea` and `gogs`.

Sources: https://docs.gitea.com/usage/webhooks and, for what that page leaves out or has wrong,
https://github.com/go-gitea/gitea/blob/main/services/webhook/deliver.go
"""

from collections.abc import Mapping, Sequence

from adapters import refs
from adapters.delivery import Kind, Outcome
from adapters.headers import delivery_id, event_name
from adapters.payload import carried_text, decode, json_text
from adapters.shapes import AnyShape, NamedRefShape, PushShape, paths_of, repository_of
from adapters.signature import matching_secret

_OTHER: tuple[Kind, str] = ("other", "Events of this kind say nothing about pushed refs.")
_QUIET: dict[str, tuple[Kind, str]] = {
    "repository": ("repository", "The repository was created or deleted, not pushed to."),
}
_CREATED = "Gitea also sends a push event for the same new ref."
_DELETED_BRANCH = "Gitea reports a deleted branch by this event alone."
_DELETED_TAG = "Gitea also sends a push event for the same deleted tag."


class PushPayload(PushShape):
    """Gitea counts all commits of a push since 1.18."""

    total_commits: int | None = None


class Gitea:
    """Gitea signs the JSON text, not the body: they differ for forms and for GET."""

    name = "gitea"

    def verify(
        self,
        headers: Mapping[str, str],
        body: bytes,
        secrets: Sequence[str | bytes],
        *,
        query: str = "",
    ) -> int:
        """
        Return the index of the secret that signed the delivery.

        Raises:
            BadSignature: signed with none of the secrets, or not at all.
        """
        return matching_secret(
            headers,
            "x-gitea-signature",
            carried_text(headers, body, query),
            secrets,
            body_length=len(body),
        )

    def parse(self, headers: Mapping[str, str], body: bytes, *, query: str = "") -> Outcome:
        """
        Return what a delivery means.

        Raises:
            MalformedDelivery: no event name, or no payload of the event's shape.
            UnsupportedContentType: neither JSON nor a form nor GET.
        """
        event = event_name(headers, "x-gitea-event")
        identifier = delivery_id(headers, "x-gitea-delivery")
        text = json_text(headers, body, query)
        if event == "push":
            return _push(text, identifier)
        if event == "create":
            return _created(text, identifier)
        if event == "delete":
            return _deleted(text, identifier)
        return _other(event, text, identifier)


def _push(text: bytes, identifier: str) -> Outcome:
    payload = decode(PushPayload, text)
    head = payload.head_commit.id if payload.head_commit else None
    change = refs.pushed(payload.ref, payload.before, payload.after, head=head)
    kind, notify, reason = refs.push_verdict(change)
    commits = payload.commits or ()
    total = payload.total_commits
    return Outcome(
        kind=kind,
        notify=notify,
        reason=reason,
        delivery_id=identifier,
        event="push",
        repository=repository_of(payload.repository),
        changes=(change,),
        commits_listed=len(commits),
        commits_total=total,
        truncated=None if total is None else total > len(commits),
        paths=paths_of(commits),
    )


def _created(text: bytes, identifier: str) -> Outcome:
    payload = decode(NamedRefShape, text)
    change = refs.named(payload.ref_type, payload.ref, after=payload.sha, deleted=False)
    return Outcome(
        kind="create",
        notify=False,
        reason=_CREATED,
        delivery_id=identifier,
        event="create",
        repository=repository_of(payload.repository),
        changes=(change,),
    )


def _deleted(text: bytes, identifier: str) -> Outcome:
    payload = decode(NamedRefShape, text)
    change = refs.named(payload.ref_type, payload.ref, after=None, deleted=True)
    alone = change.ref_type == "branch"
    return Outcome(
        kind="delete",
        notify=alone,
        reason=_DELETED_BRANCH if alone else _DELETED_TAG,
        delivery_id=identifier,
        event="delete",
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


ADAPTER = Gitea()
