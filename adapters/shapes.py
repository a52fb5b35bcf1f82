"""
The payload fields that GitHub invented and Gitea and its relatives copied; only those needed.

`null` stands for an empty list or text in payloads of programs written in Go, so all but the
essential fields may be null or missing. Unknown fields are skipped, unread and uncopied.
"""

from typing import Annotated, TypeVar

import msgspec

from adapters.delivery import Repository
from adapters.outcomes import Listed
from adapters.repositories import repository

MAX_TEXT_CHARACTERS = 1024
MAX_COMMITS = 50_000  # GitHub lists 2,048 at most; beyond this only memory is at stake
MAX_CHANGES = 10_000  # refs of one push
MAX_NUMBER = 2**63 - 1

Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARACTERS)]
OptionalText = Text | None
Number = Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)] | None
Paths = list[str] | None
T = TypeVar("T")
Changes = Annotated[list[T], msgspec.Meta(max_length=MAX_CHANGES)]


class Shape(msgspec.Struct, gc=False):
    """A part of a payload."""


class CommitShape(Shape):
    """One listed commit: the paths it touched."""

    added: Paths = None
    removed: Paths = None
    modified: Paths = None


Commits = Annotated[list[CommitShape], msgspec.Meta(max_length=MAX_COMMITS)] | None


class HeadShape(Shape):
    """The newest commit of a push."""

    id: OptionalText = None


class RepositoryShape(Shape):
    """The repository of any event."""

    id: Number = None
    full_name: OptionalText = None
    clone_url: OptionalText = None
    ssh_url: OptionalText = None
    html_url: OptionalText = None
    url: OptionalText = None  # all that very old GitHub payloads have
    default_branch: OptionalText = None
    mirror: bool | None = None  # of another server's repository; GitHub has none


class PushShape(Shape):
    """A push of one ref."""

    ref: Text
    before: Text
    after: Text
    repository: RepositoryShape
    commits: Commits = None
    head_commit: HeadShape | None = None
    forced: bool | None = None  # only GitHub says
    total_commits: Number = None  # only Gitea and Forgejo count


class NamedRefShape(Shape):
    """A created or deleted branch or tag."""

    ref: Text
    ref_type: Text
    repository: RepositoryShape
    sha: OptionalText = None


class AnyShape(Shape):
    """Any other event: of interest is only whose it is."""

    repository: RepositoryShape | None = None


def repository_of(shape: RepositoryShape) -> Repository:
    """Return the repository that a payload names."""
    return repository(
        identifier=shape.id,
        full_name=shape.full_name,
        clone_url=shape.clone_url,
        ssh_url=shape.ssh_url,
        html_url=shape.html_url or shape.url,
        default_branch=shape.default_branch,
    )


def listed(commits: Commits, total: int | None = None) -> Listed:
    """Return what a push lists, and of how many commits it tells."""
    if not commits:
        return Listed(0, total, None if total is None else total > 0)
    paths: list[str] = []
    for commit in commits:
        for part in (commit.added, commit.removed, commit.modified):
            if part:
                paths += part
    count = len(commits)
    return Listed(count, total, None if total is None else total > count, frozenset(paths))
