"""
What Gitea, Forgejo and Gogs have in common: they are forks of one another.

They sign the JSON text, not the body; the two differ for forms and for GET. Which ref is reported
by which event is what they differ in.
"""

from dataclasses import dataclass

import msgspec

from adapters import refs
from adapters.delivery import Kind, Outcome, RefChange
from adapters.outcomes import pushed, unremarkable
from adapters.payload import carried_pieces, decode, decode_if_fitting, json_text_also_by_get
from adapters.request import Request
from adapters.shapes import AnyShape, NamedRefShape, PushShape, listed, repository_of
from adapters.signature import Secrets, matching_secret

_PUSH = msgspec.json.Decoder(PushShape)
_NAMED_REF = msgspec.json.Decoder(NamedRefShape)
_ANY = msgspec.json.Decoder(AnyShape)
_KINDS: dict[str, Kind] = {"create": "create", "delete": "delete"}
_REPOSITORY = "The repository was created or deleted, not pushed to."


@dataclass(frozen=True)
class GiteaLike:
    """
    The adapter of one of the three.

    Attributes:
        name: of the provider.
        title: how people write it.
        alone: the changes, as (event, type of ref), that no push event reports.
        full_refs: whether `create` and `delete` may name a ref in full.
    """

    name: str
    title: str
    alone: frozenset[tuple[str, str]]
    full_refs: bool = False

    def verify(self, request: Request, secrets: Secrets) -> int:
        """Return the index of the secret that signed the delivery, or raise BadSignature."""
        return matching_secret(
            request, f"x-{self.name}-signature", carried_pieces(request), secrets
        )

    def parse(self, request: Request) -> Outcome:
        """Return what a delivery means, or raise an AdapterError."""
        event = request.event_name(f"x-{self.name}-event")
        delivery_id = request.delivery_id(f"x-{self.name}-delivery")
        text = json_text_also_by_get(request)
        if event == "push":
            return _pushed(text, delivery_id)
        if event in _KINDS:
            return self._named(event, text, delivery_id)
        return _other(event, text, delivery_id)

    def _named(self, event: str, text: bytes, delivery_id: str) -> Outcome:
        payload = decode(_NAMED_REF, text)
        change = self._change(payload, deleted=event == "delete")
        what = f"{'new' if event == 'create' else 'deleted'} {change.ref_type}"
        # A mirror that loses a ref reports that by this event alone, be it branch or tag:
        # https://github.com/go-gitea/gitea/blob/main/services/mirror/mirror_pull.go
        lost = event == "delete" and payload.repository.mirror is True
        alone = lost or (event, change.ref_type) in self.alone
        return Outcome(
            kind=_KINDS[event],
            notify=alone,
            reason=(
                f"{self.title} reports a {what} by this event alone."
                if alone
                else f"{self.title} also sends a push event for the same {what}."
            ),
            delivery_id=delivery_id,
            event=event,
            repository=repository_of(payload.repository),
            changes=(change,),
        )

    def _change(self, payload: NamedRefShape, *, deleted: bool) -> RefChange:
        name = payload.ref
        if self.full_refs:
            name = refs.short(payload.ref_type, name)
        after = None if deleted else payload.sha
        return refs.named(payload.ref_type, name, after=after, deleted=deleted)


def _pushed(text: bytes, delivery_id: str) -> Outcome:
    payload = decode(_PUSH, text)
    head = payload.head_commit.id if payload.head_commit else None
    return pushed(
        "push",
        delivery_id,
        repository_of(payload.repository),
        [refs.moved(payload.ref, payload.before, payload.after, head=head)],
        listed(payload.commits, payload.total_commits),
    )


def _other(event: str, text: bytes, delivery_id: str) -> Outcome:
    payload = decode_if_fitting(_ANY, text)
    whose = repository_of(payload.repository) if payload and payload.repository else None
    if event == "repository":
        return unremarkable(event, delivery_id, whose, kind="repository", reason=_REPOSITORY)
    return unremarkable(event, delivery_id, whose)
