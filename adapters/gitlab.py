"""
GitLab: webhooks of projects and groups, and system hooks.

Sources: https://docs.gitlab.com/user/project/integrations/webhook_events/ and
https://docs.gitlab.com/administration/system_hooks/
"""

import hmac

import msgspec

from adapters import refs
from adapters.delivery import Outcome, Repository
from adapters.outcomes import pushed, unremarkable
from adapters.payload import decode, decode_if_fitting, json_text
from adapters.repositories import repository
from adapters.request import Request, is_name
from adapters.shapes import Changes, Commits, Number, OptionalText, Shape, Text, listed
from adapters.signature import Secrets, as_bytes
from adapters.standard_signature import signed_or_sent

_TOKEN = "x-gitlab-token"  # noqa: S105 - a header's name
_PUSHES = {"push", "tag_push"}
_BEFORE_NAMES = {"Push Hook": "push", "Tag Push Hook": "tag_push"}
_PROJECT = "The project's settings changed, not its content."


class ProjectShape(Shape):
    """The project, in payloads since GitLab 8.5."""

    id: Number = None
    path_with_namespace: OptionalText = None
    git_http_url: OptionalText = None
    git_ssh_url: OptionalText = None
    web_url: OptionalText = None
    default_branch: OptionalText = None


class RepositoryShape(Shape):
    """The same in older words; newer payloads have both."""

    git_http_url: OptionalText = None
    git_ssh_url: OptionalText = None
    url: OptionalText = None
    homepage: OptionalText = None


class EventShape(Shape):
    """An event's name, in one of two fields or, long ago, in none."""

    object_kind: OptionalText = None
    event_name: OptionalText = None


class OwnedShape(Shape):
    """Whose an event is."""

    project: ProjectShape | None = None
    project_id: Number = None
    path_with_namespace: OptionalText = None
    repository: RepositoryShape | None = None


class PushShape(OwnedShape, kw_only=True):
    """A push of one ref."""

    ref: Text
    before: Text
    after: Text
    checkout_sha: OptionalText = None
    commits: Commits = None
    total_commits_count: Number = None


class ChangeShape(Shape):
    """One ref of a repository update."""

    ref: Text
    before: Text
    after: Text


class UpdateShape(OwnedShape, kw_only=True):
    """All refs that one `git push` changed."""

    changes: Changes[ChangeShape]


_EVENT = msgspec.json.Decoder(EventShape)
_OWNED = msgspec.json.Decoder(OwnedShape)
_PUSH = msgspec.json.Decoder(PushShape)
_UPDATE = msgspec.json.Decoder(UpdateShape)


class GitLab:
    """GitLab sends its secret token as it is; with a signing token (`whsec_…`) it signs."""

    name = "gitlab"

    def verify(self, request: Request, secrets: Secrets) -> int:
        """Return the index of the token that was sent or signed with, or raise BadSignature."""
        token = as_bytes(request.header(_TOKEN))
        return signed_or_sent(
            request, secrets, name=_TOKEN, sent=lambda key: hmac.compare_digest(token, key)
        )

    def parse(self, request: Request) -> Outcome:
        """Return what a delivery means, or raise an AdapterError."""
        text = json_text(request)
        payload = decode(_EVENT, text)
        named = request.header("x-gitlab-event")
        kind = payload.object_kind or payload.event_name or _BEFORE_NAMES.get(named, "")
        unnamed = named in {"", "System Hook"} and is_name(kind)
        event = kind if unnamed else request.event_name("x-gitlab-event")
        delivery_id = request.delivery_id("idempotency-key", "x-gitlab-webhook-uuid")
        if kind in _PUSHES:
            return _pushed(event, text, delivery_id)
        if kind == "repository_update":
            return _updated(event, text, delivery_id)
        owned = decode_if_fitting(_OWNED, text)
        whose = _repository(owned) if owned else None
        if kind.startswith("project_"):
            return unremarkable(event, delivery_id, whose, kind="repository", reason=_PROJECT)
        return unremarkable(event, delivery_id, whose if whose and whose.full_name else None)


def _pushed(event: str, text: bytes, delivery_id: str) -> Outcome:
    payload = decode(_PUSH, text)
    change = refs.moved(payload.ref, payload.before, payload.after, head=payload.checkout_sha)
    return pushed(
        event,
        delivery_id,
        _repository(payload),
        [change],
        listed(payload.commits, payload.total_commits_count),
    )


def _updated(event: str, text: bytes, delivery_id: str) -> Outcome:
    payload = decode(_UPDATE, text)
    changes = [refs.moved(change.ref, change.before, change.after) for change in payload.changes]
    return pushed(event, delivery_id, _repository(payload), changes)


def _repository(payload: OwnedShape) -> Repository:
    project, old = payload.project or ProjectShape(), payload.repository or RepositoryShape()
    return repository(
        identifier=project.id if project.id is not None else payload.project_id,
        full_name=project.path_with_namespace or payload.path_with_namespace,
        clone_url=project.git_http_url or old.git_http_url,
        ssh_url=project.git_ssh_url or old.git_ssh_url or old.url,
        html_url=project.web_url or old.homepage,
        default_branch=project.default_branch,
    )


ADAPTER = GitLab()
