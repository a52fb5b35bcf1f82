"""
Azure DevOps service hooks.

Source: https://learn.microsoft.com/azure/devops/service-hooks/events#git.push

One delivery reports every ref of a push. Nothing is signed: who sends is proven by the credentials
of the service hook, which is why it should be given an HTTPS address.
"""

import binascii
import hmac
from base64 import b64decode

import msgspec

from adapters import refs
from adapters.delivery import Outcome, Repository
from adapters.errors import MalformedDelivery
from adapters.outcomes import Listed, pushed, unremarkable
from adapters.payload import decode, decode_if_fitting, json_text
from adapters.repositories import repository
from adapters.request import Request, is_name
from adapters.shapes import Changes, Number, OptionalText, Shape, Text
from adapters.signature import DIFFERENT, Secrets, as_bytes, keys_of, refusal

_AUTHORIZATION = "authorization"


class UpdateShape(Shape):
    """One ref."""

    name: Text
    oldObjectId: Text  # noqa: N815 - the payload's own names
    newObjectId: Text  # noqa: N815


class ProjectShape(Shape):
    """The project that has the repository."""

    name: OptionalText = None


class RepositoryShape(Shape):
    """The repository."""

    id: OptionalText = None
    name: OptionalText = None
    project: ProjectShape | None = None
    remoteUrl: OptionalText = None  # noqa: N815
    sshUrl: OptionalText = None  # noqa: N815
    webUrl: OptionalText = None  # noqa: N815
    defaultBranch: OptionalText = None  # noqa: N815


class CommitShape(Shape):
    """One listed commit, of which nothing is needed."""


class ResourceShape(Shape):
    """What an event is about; how much of it is sent is a setting of the service hook."""

    repository: RepositoryShape | None = None
    refUpdates: Changes[UpdateShape] | None = None  # noqa: N815
    commits: list[CommitShape] | None = None


class PushShape(Shape):
    """A push."""

    resource: ResourceShape | None = None


class OtherResourceShape(Shape):
    """What any other event is about: of interest is only whose it is."""

    repository: RepositoryShape | None = None


class OtherShape(Shape):
    """Any other event."""

    resource: OtherResourceShape | None = None


class EventShape(Shape):
    """What every event has."""

    eventType: Text  # noqa: N815
    id: Text | Number = None


_EVENT = msgspec.json.Decoder(EventShape)
_PUSH = msgspec.json.Decoder(PushShape)
_OTHER = msgspec.json.Decoder(OtherShape)


class AzureDevOps:
    """Azure DevOps sends credentials, as HTTP Basic or in a header that its user wrote."""

    name = "azure_devops"

    def verify(self, request: Request, secrets: Secrets) -> int:
        """
        Return the index of the secret sent: as password, as `user:password`, or as Bearer token.

        Raises:
            BadSignature: none of the secrets was sent.
        """
        given = _credentials(request.header(_AUTHORIZATION))
        for index, key in keys_of(secrets):
            # All are compared, so that the time tells nothing about which one was close.
            if sum(hmac.compare_digest(credential, key) for credential in given):
                return index
        state = DIFFERENT if given else "is missing or malformed"
        raise refusal(request, _AUTHORIZATION, state)

    def parse(self, request: Request) -> Outcome:
        """Return what a delivery means, or raise an AdapterError."""
        text = json_text(request)
        payload = decode(_EVENT, text)
        event, delivery_id = payload.eventType, str(payload.id or "")
        if not is_name(event):
            raise MalformedDelivery("The payload's field eventType is no name.")
        delivery_id = delivery_id if is_name(delivery_id) else ""
        if event == "git.push":
            return _pushed(event, text, delivery_id)
        other = decode_if_fitting(_OTHER, text)
        named = other.resource.repository if other and other.resource else None
        return unremarkable(event, delivery_id, _repository(named) if named else None)


def _credentials(authorization: str) -> list[bytes]:
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return [as_bytes(value.strip())]
    if scheme.lower() != "basic":
        return []
    try:
        pair = b64decode(as_bytes(value.strip()), validate=True)
    except binascii.Error:
        return []
    return [pair, pair.partition(b":")[2]]


def _pushed(event: str, text: bytes, delivery_id: str) -> Outcome:
    resource = decode(_PUSH, text).resource
    if resource is None or resource.repository is None or resource.refUpdates is None:
        raise MalformedDelivery(
            "The payload does not say which refs changed.",
            next_step="Set the service hook's Resource details to send to All.",
        )
    changes = [
        refs.moved(update.name, update.oldObjectId, update.newObjectId)
        for update in resource.refUpdates
    ]
    return pushed(
        event,
        delivery_id,
        _repository(resource.repository),
        changes,
        Listed(None if resource.commits is None else len(resource.commits)),
    )


def _repository(shape: RepositoryShape) -> Repository:
    project = shape.project.name if shape.project else None
    return repository(
        identifier=shape.id,
        full_name="/".join(filter(None, (project, shape.name))),
        clone_url=shape.remoteUrl,
        ssh_url=shape.sshUrl,
        html_url=shape.webUrl,
        default_branch=shape.defaultBranch,
    )


ADAPTER = AzureDevOps()
