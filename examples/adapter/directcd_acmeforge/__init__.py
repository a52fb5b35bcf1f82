"""
Acmeforge, an invented forge, for directcd.

It signs the raw body, names the event in a header, and reports every ref of a push at once.
"""

from typing import Annotated

import msgspec

from adapters import Outcome, Repository, Request, refs
from adapters.outcomes import pushed, unremarkable
from adapters.payload import decode, json_text
from adapters.repositories import repository
from adapters.signature import Secrets, matching_secret

Text = Annotated[str, msgspec.Meta(max_length=1024)]


class Project(msgspec.Struct):
    """The repository of any event."""

    path: Text
    clone: Text
    id: Text | None = None


class Update(msgspec.Struct):
    """One ref; a hash of zeros means that it was or is not there."""

    ref: Text
    old: Text
    new: Text


class Push(msgspec.Struct):
    """A push."""

    project: Project
    updates: Annotated[list[Update], msgspec.Meta(max_length=10_000)]


class Other(msgspec.Struct):
    """Any other event: of interest is only whose it is."""

    project: Project | None = None


PUSH = msgspec.json.Decoder(Push)
OTHER = msgspec.json.Decoder(Other)


class Acmeforge:
    """What directcd asks of an adapter: a name and two methods."""

    name = "acmeforge"

    def verify(self, request: Request, secrets: Secrets) -> int:
        """Return the index of the secret that signed the delivery, or raise BadSignature."""
        header = "x-acmeforge-signature"
        return matching_secret(request, header, request.body, secrets, prefix="sha256=")

    def parse(self, request: Request) -> Outcome:
        """Return what the delivery means, or raise an AdapterError."""
        event = request.event_name("x-acmeforge-event")
        delivery_id = request.delivery_id("x-acmeforge-delivery")
        text = json_text(request)
        if event != "push":
            project = decode(OTHER, text).project
            whose = repository_of(project) if project else None
            return unremarkable(event, delivery_id, whose)
        push = decode(PUSH, text)
        changes = [refs.moved(update.ref, update.old, update.new) for update in push.updates]
        return pushed(event, delivery_id, repository_of(push.project), changes)


def repository_of(project: Project) -> Repository:
    """Return the repository with the keys by which subscribers find it."""
    return repository(identifier=project.id, full_name=project.path, clone_url=project.clone)


ADAPTER = Acmeforge()
