"""What the handlers share: the workers, the store, and the refusals that several need."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import Query, Request

from cd4sources.following import Follower
from cd4sources.keeping.store import Store
from cd4sources.problems import Problem
from cd4sources.targets import AmbiguousTarget, BadTarget, UnknownTarget, find
from cd4sources.tokens import Access

MOST_REPOSITORIES = 100

Repos = Annotated[
    list[str],
    Query(
        min_length=1,
        max_length=MOST_REPOSITORIES,
        description="the target's repositories, in any spelling and order; `R2=R3` names a "
        "replacement",
    ),
]
"""The repositories of one target, in any spelling and order."""


def followers(request: Request) -> Mapping[str, Follower]:
    """The workers of the targets that the asker may see, by the target's name."""
    if not _access(request).repositories:
        return _all(request)
    return {name: one for name, one in _all(request).items() if _allowed(request, one)}


def store(request: Request) -> Store:
    """The versions on disk."""
    found: Store = request.app.state.store
    return found


def follower(request: Request, repos: Sequence[str], ref: str) -> Follower:
    """The worker of the target made of these repositories; raises a Problem when there is none."""
    known = followers(request)
    try:
        return known[find([one.target for one in known.values()], repos, ref=ref).name]
    except UnknownTarget as error:
        _refuse_if_forbidden(request, repos)
        step = "name all repositories of a target (GET /v1/targets), or configure one"
        raise Problem(404, "unknown-target", str(error), step) from error
    except AmbiguousTarget as error:
        raise Problem(409, "ambiguous-target", str(error), "add &ref=") from error
    except BadTarget as error:
        raise Problem(400, "bad-ref", str(error), "correct ref") from error


def named(request: Request, name: str) -> Follower:
    """The worker of a target by its name; raises a Problem when there is none."""
    known = followers(request)
    if name in known:
        return known[name]
    if name in _all(request):
        raise _forbidden(request)
    step = f"known: {', '.join(known) or 'none'}"
    raise Problem(404, "unknown-target", f"there is no target {name!r}", step)


def refuse_when_stopping(request: Request) -> None:
    """Raise a Problem when the process is about to end."""
    if request.app.state.stopping.is_set():
        raise stopping()


def stopping() -> Problem:
    """The refusal of a process that is about to end."""
    step = "ask again in a second, or another server"
    return Problem(503, "stopping", "this server is ending", step, {"Retry-After": "1"})


def is_known(if_none_match: str, etag: str) -> bool:
    """
    Tell whether an If-None-Match header holds this entity tag.

    Compared weakly, as https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2 wants.
    """
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return not tags.isdisjoint({"*", etag})


def _all(request: Request) -> Mapping[str, Follower]:
    found: Mapping[str, Follower] = request.app.state.followers
    return found


def _access(request: Request) -> Access:
    found: Access = request.scope["access"]
    return found


def _allowed(request: Request, follower: Follower) -> bool:
    return _access(request).covers(one.keys for one in follower.target.repositories)


def _refuse_if_forbidden(request: Request, repos: Sequence[str]) -> None:
    others = (one for one in _all(request).values() if not _allowed(request, one))
    if any(one.target.is_made_of(repos) for one in others):
        raise _forbidden(request)


def _forbidden(request: Request) -> Problem:
    detail = f"the token {_access(request).name} is not for this target"
    step = "use a token whose `repositories` cover all of the target's"
    return Problem(403, "target-forbidden", detail, step)
