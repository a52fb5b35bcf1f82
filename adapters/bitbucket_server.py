"""
Bitbucket Server and Data Center.

Source: https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html

One delivery reports every ref of a push. Older versions name their repository by no URL at all.
"""

import msgspec

from adapters import refs
from adapters.delivery import Outcome, RefChange, Repository
from adapters.outcomes import Listed, pushed, unremarkable
from adapters.payload import decode, decode_if_fitting, json_text
from adapters.repositories import repository
from adapters.request import Request
from adapters.shapes import Changes, Number, OptionalText, Shape, Text
from adapters.signature import Secrets, matching_secret

_PUSHES = {"repo:refs_changed", "mirror:repo_synchronized"}
_PING = "Bitbucket asks whether this address answers."
_REPOSITORY = "The repository's settings changed, not its content."


class RefShape(Shape):
    """The ref of a change."""

    id: Text


class ChangeShape(Shape):
    """One ref."""

    ref: RefShape
    fromHash: Text  # noqa: N815 - the payload's own names
    toHash: Text  # noqa: N815


class LinkShape(Shape):
    """One link; those to clone from have a name."""

    href: OptionalText = None
    name: OptionalText = None


class LinksShape(Shape):
    """Links of a repository."""

    clone: list[LinkShape] | None = None
    self: list[LinkShape] | None = None


class ProjectShape(Shape):
    """The project, or the person's `~name`, that has the repository."""

    key: Text


class RepositoryShape(Shape):
    """The repository."""

    slug: Text
    project: ProjectShape
    id: Number = None
    links: LinksShape | None = None


class CommitShape(Shape):
    """One listed commit."""

    id: OptionalText = None


class PushShape(Shape):
    """A push, or what a mirror fetched: without changes when they were too many."""

    repository: RepositoryShape
    changes: Changes[ChangeShape] | None = None
    commits: list[CommitShape] | None = None
    toCommit: CommitShape | None = None  # noqa: N815


class AnyShape(Shape):
    """Any other event: of interest is only whose it is."""

    repository: RepositoryShape | None = None


class ModifiedShape(Shape):
    """A repository whose settings changed, as it is now."""

    new: RepositoryShape


_PUSH = msgspec.json.Decoder(PushShape)
_ANY = msgspec.json.Decoder(AnyShape)
_MODIFIED = msgspec.json.Decoder(ModifiedShape)


class BitbucketServer:
    """Bitbucket Server signs the raw body, in a header that elsewhere holds SHA-1."""

    name = "bitbucket_server"

    def verify(self, request: Request, secrets: Secrets) -> int:
        """Return the index of the secret that signed the delivery, or raise BadSignature."""
        return matching_secret(request, "x-hub-signature", request.body, secrets, prefix="sha256=")

    def parse(self, request: Request) -> Outcome:
        """Return what a delivery means, or raise an AdapterError."""
        event = request.event_name("x-event-key")
        delivery_id = request.delivery_id("x-request-id")
        text = json_text(request)
        if event in _PUSHES:
            return _pushed(event, text, delivery_id)
        if event == "diagnostics:ping":
            return unremarkable(event, delivery_id, None, kind="ping", reason=_PING)
        if event == "repo:modified":
            return _modified(event, text, delivery_id)
        payload = decode_if_fitting(_ANY, text)
        whose = _repository(payload.repository) if payload and payload.repository else None
        return unremarkable(event, delivery_id, whose)


def _pushed(event: str, text: bytes, delivery_id: str) -> Outcome:
    payload = decode(_PUSH, text)
    changes = payload.changes or []
    # One commit is told, whose it is when there are several tags is not.
    head = payload.toCommit.id if payload.toCommit and len(changes) == 1 else None
    return pushed(
        event,
        delivery_id,
        _repository(payload.repository),
        [_change(change, head) for change in changes],
        Listed(None if payload.commits is None else len(payload.commits)),
    )


def _modified(event: str, text: bytes, delivery_id: str) -> Outcome:
    payload = decode_if_fitting(_MODIFIED, text)
    whose = _repository(payload.new) if payload else None
    return unremarkable(event, delivery_id, whose, kind="repository", reason=_REPOSITORY)


def _change(change: ChangeShape, head: str | None) -> RefChange:
    return refs.moved(change.ref.id, change.fromHash, change.toHash, head=head)


def _repository(shape: RepositoryShape) -> Repository:
    links = shape.links or LinksShape()
    urls = {link.name: link.href for link in links.clone or ()}
    page = next((link.href for link in links.self or () if link.href), None)
    return repository(
        identifier=shape.id,
        full_name=f"{shape.project.key}/{shape.slug}",
        clone_url=urls.get("https") or urls.get("http"),
        ssh_url=urls.get("ssh"),
        html_url=(page or "").removesuffix("/browse"),
    )


ADAPTER = BitbucketServer()
