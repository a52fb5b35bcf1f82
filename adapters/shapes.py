"""
The payload fields that GitHub invented and Gitea and its relatives copied; only those needed.

`null` stands for an empty list or text in payloads of programs written in Go, so all but the
essential fields may be null or missing.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from adapters.delivery import Repository
from adapters.identity import repository_keys

MAX_TEXT_CHARACTERS = 1024
MAX_COMMITS = 50_000  # GitHub lists 2,048 at most; beyond this only memory is at stake
MAX_IDENTIFIER = 2**63 - 1

Text = Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS)]
OptionalText = Text | None
# Fail fast: a list of a million wrong items would otherwise become a million error records.
Paths = Annotated[list[str], Field(fail_fast=True)] | None


class Shape(BaseModel):
    """A part of a payload: unknown fields are ignored, errors never show a value."""

    model_config = ConfigDict(hide_input_in_errors=True)


class CommitShape(Shape):
    """One listed commit: the paths it touched."""

    added: Paths = None
    removed: Paths = None
    modified: Paths = None


Commits = Annotated[list[CommitShape], Field(max_length=MAX_COMMITS, fail_fast=True)] | None


class HeadShape(Shape):
    """The newest commit of a push."""

    id: OptionalText = None


class RepositoryShape(Shape):
    """The repository of any event."""

    id: Annotated[int, Field(ge=0, le=MAX_IDENTIFIER)] | None = None
    full_name: OptionalText = None
    clone_url: OptionalText = None
    ssh_url: OptionalText = None
    html_url: OptionalText = None
    url: OptionalText = None  # all that very old GitHub payloads have
    default_branch: OptionalText = None


class PushShape(Shape):
    """A push of one ref."""

    ref: Text
    before: Text
    after: Text
    commits: Commits = None
    head_commit: HeadShape | None = None
    repository: RepositoryShape


class NamedRefShape(Shape):
    """A created or deleted branch or tag."""

    ref: Text
    ref_type: Text
    sha: OptionalText = None
    repository: RepositoryShape


class AnyShape(Shape):
    """Any other event: of interest is only whose it is."""

    repository: RepositoryShape | None = None


def repository_of(shape: RepositoryShape) -> Repository:
    """Return the repository that a payload names."""
    return _repository(
        shape.id,
        shape.full_name,
        shape.clone_url,
        shape.ssh_url,
        shape.html_url or shape.url,
        shape.default_branch,
    )


def paths_of(commits: Iterable[CommitShape]) -> frozenset[str]:
    """Return every path that the commits touched."""
    paths: set[str] = set()
    for commit in commits:
        paths.update(commit.added or (), commit.removed or (), commit.modified or ())
    return frozenset(paths)


# The same few repositories come again and again, and three URLs take longer to understand than
# the rest of a payload. At most 512 entries of 5 KiB of text.
@lru_cache(maxsize=512)
def _repository(
    identifier: int | None,
    full_name: str | None,
    clone_url: str | None,
    ssh_url: str | None,
    html_url: str | None,
    default_branch: str | None,
) -> Repository:
    urls = (clone_url or "", ssh_url or "", html_url or "")
    return Repository(
        keys=frozenset(chain.from_iterable(map(repository_keys, urls))),
        full_name=full_name or (html_url or "").partition("://")[2].partition("/")[2],
        id=identifier,
        clone_url=urls[0],
        ssh_url=urls[1],
        html_url=urls[2],
        default_branch=default_branch or "",
    )
