"""
Bitbucket Cloud.

Source: https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/

One delivery reports every ref of a push, and names its repository by no URL that git can clone.
"""

import msgspec

from adapters import refs
from adapters.delivery import Outcome, RefChange, Repository
from adapters.errors import MalformedDelivery
from adapters.outcomes import Listed, pushed, unremarkable
from adapters.payload import decode, decode_if_fitting, json_text
from adapters.repositories import repository
from adapters.request import Request
from adapters.shapes import Changes, OptionalText, Shape, Text
from adapters.signature import Secrets, matching_secret

_HOST = "bitbucket.org"
_ZERO = "0" * 40
_TYPES = {"branch": "branch", "tag": "tag", "annotated_tag": "tag"}
_SETTINGS = {"repo:updated", "repo:transfer", "repo:created", "repo:deleted", "repo:imported"}
_REPOSITORY = "The repository's settings changed, not its content."


class TargetShape(Shape):
    """The commit a ref stands at."""

    hash: Text


class RefShape(Shape):
    """One side of a change."""

    type: Text
    name: Text
    target: TargetShape


class CommitShape(Shape):
    """One listed commit, of which nothing is needed."""


class ChangeShape(Shape):
    """One ref: without `old` it is new, without `new` it is gone."""

    old: RefShape | None = None
    new: RefShape | None = None
    forced: bool | None = None
    truncated: bool | None = None
    commits: list[CommitShape] | None = None


class PushedShape(Shape):
    """The refs of a push."""

    changes: Changes[ChangeShape]


class LinkShape(Shape):
    """One link."""

    href: OptionalText = None


class LinksShape(Shape):
    """Links of a repository."""

    html: LinkShape | None = None


class RepositoryShape(Shape):
    """The repository."""

    full_name: OptionalText = None
    uuid: OptionalText = None
    links: LinksShape | None = None


class PushShape(Shape):
    """A push."""

    push: PushedShape
    repository: RepositoryShape


class AnyShape(Shape):
    """Any other event: of interest is only whose it is."""

    repository: RepositoryShape | None = None


_PUSH = msgspec.json.Decoder(PushShape)
_ANY = msgspec.json.Decoder(AnyShape)


class Bitbucket:
    """Bitbucket Cloud signs the raw body, in a header that elsewhere holds SHA-1."""

    name = "bitbucket"

    def verify(self, request: Request, secrets: Secrets) -> int:
        """Return the index of the secret that signed the delivery, or raise BadSignature."""
        return matching_secret(request, "x-hub-signature", request.body, secrets, prefix="sha256=")

    def parse(self, request: Request) -> Outcome:
        """Return what a delivery means, or raise an AdapterError."""
        event = request.event_name("x-event-key")
        delivery_id = request.delivery_id("x-request-uuid")
        text = json_text(request)
        if event == "repo:push":
            return _pushed(event, text, delivery_id)
        payload = decode_if_fitting(_ANY, text)
        whose = _repository(payload.repository) if payload and payload.repository else None
        if event in _SETTINGS:
            return unremarkable(event, delivery_id, whose, kind="repository", reason=_REPOSITORY)
        return unremarkable(event, delivery_id, whose)


def _pushed(event: str, text: bytes, delivery_id: str) -> Outcome:
    payload = decode(_PUSH, text)
    changes = payload.push.changes
    counts = [len(change.commits) for change in changes if change.commits is not None]
    truncated = [change.truncated for change in changes if change.truncated is not None]
    return pushed(
        event,
        delivery_id,
        _repository(payload.repository),
        map(_change, changes),
        Listed(sum(counts) if counts else None, truncated=any(truncated) if truncated else None),
    )


def _change(change: ChangeShape) -> RefChange:
    side = change.new or change.old
    if side is None:
        raise MalformedDelivery("The payload has a change with neither an old nor a new ref.")
    return refs.moved(
        refs.full(_TYPES.get(side.type, side.type), side.name),
        change.old.target.hash if change.old else _ZERO,
        change.new.target.hash if change.new else _ZERO,
        forced=change.forced,
    )


def _repository(shape: RepositoryShape) -> Repository:
    page = shape.links.html.href if shape.links and shape.links.html else None
    name = shape.full_name or (page or "").partition(f"://{_HOST}/")[2].rstrip("/")
    return repository(
        identifier=shape.uuid,
        full_name=name,
        clone_url=f"https://{_HOST}/{name}.git" if name else None,
        ssh_url=f"git@{_HOST}:{name}.git" if name else None,
        html_url=page,
    )


ADAPTER = Bitbucket()
