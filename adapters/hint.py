"""
A payload of our own, for senders that are no forge: "look at this ref of this repository".

    {"repository": "https://git.example.com/acme/app.git", "ref": "refs/heads/main"}

`before` and `after` may be given, `repository` may be an object with the URLs a forge would give,
and `event` may be `push` (the default), `test` or `ping`.
"""

import msgspec

from adapters import refs
from adapters.delivery import Outcome, Repository
from adapters.errors import MalformedDelivery
from adapters.outcomes import pushed, unremarkable
from adapters.payload import decode, json_text
from adapters.repositories import repository
from adapters.request import Request
from adapters.shapes import Number, OptionalText, Shape, Text

_PUSH = "The sender says that this ref changed."
_TEST = "A test: nothing changed, and subscribers look once."
_PING = "The sender asks whether this address answers."


class RepositoryShape(Shape):
    """A repository by its URLs."""

    id: Number | Text = None
    full_name: OptionalText = None
    clone_url: OptionalText = None
    url: OptionalText = None
    ssh_url: OptionalText = None
    html_url: OptionalText = None
    default_branch: OptionalText = None


class HintShape(Shape):
    """The whole payload."""

    repository: RepositoryShape | Text | None = None
    ref: OptionalText = None
    before: OptionalText = None
    after: OptionalText = None
    event: Text = "push"


_EVENTS = {"push", "test", "ping"}
_HINT = msgspec.json.Decoder(HintShape)


def hint(request: Request) -> Outcome:
    """
    Return what a delivery of this shape means.

    Raises:
        MalformedDelivery: not of this shape, or without a ref.
        UnsupportedContentType: neither JSON nor a form.
    """
    payload = decode(_HINT, json_text(request))
    if payload.event not in _EVENTS:
        raise MalformedDelivery("The payload's field event is none of push, test and ping.")
    delivery_id = request.delivery_id("webhook-id", "x-request-id")
    whose = _repository(payload.repository)
    if payload.event == "ping":
        return unremarkable("ping", delivery_id, whose, kind="ping", reason=_PING)
    if whose is None or payload.ref is None:
        raise MalformedDelivery(
            "The payload names no repository and ref.",
            next_step='Send {"repository": "https://…", "ref": "refs/heads/…"}.',
        )
    change = refs.hinted(payload.ref, payload.before, payload.after)
    if payload.event == "push" and None not in {payload.before, payload.after}:
        return pushed("push", delivery_id, whose, [change])
    test = payload.event == "test"
    return Outcome(
        kind="test" if test else "push",
        notify=True,
        reason=_TEST if test else _PUSH,
        delivery_id=delivery_id,
        event=payload.event,
        repository=whose,
        changes=(change,),
    )


def _repository(named: RepositoryShape | str | None) -> Repository | None:
    if named is None:
        return None
    if isinstance(named, str):
        return repository(identifier=None, full_name=None, clone_url=named)
    return repository(
        identifier=named.id,
        full_name=named.full_name,
        clone_url=named.clone_url or named.url,
        ssh_url=named.ssh_url,
        html_url=named.html_url,
        default_branch=named.default_branch,
    )
