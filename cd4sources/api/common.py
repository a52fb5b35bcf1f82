"""What the handlers share: the workers, the store, and the refusals that several need."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import Query, Request

from cd4sources.following import Follower
from cd4sources.problems import Problem
from cd4sources.store import Store
from cd4sources.targets import AmbiguousTarget, BadTarget, UnknownTarget, find

Repos = Annotated[list[str], Query(min_length=1, max_length=100)]
"""The repositories of one target, in any spelling and order."""


def followers(request: Request) -> Mapping[str, Follower]:
    """All workers, by their target's name."""
    found: Mapping[str, Follower] = request.app.state.followers
    return found


def store(request: Request) -> Store:
    """The versions on disk."""
    found: Store = request.app.state.store
    return found


def follower(request: Request, repos: Sequence[str], ref: str) -> Follower:
    """The worker of the target made of these repositories; raises a Problem when there is none."""
    known = followers(request)
    try:
        found = find([one.target for one in known.values()], repos, ref=ref)
    except UnknownTarget as error:
        step = "name all repositories of a target (GET /v1/targets), or configure one"
        raise Problem(404, "unknown-target", str(error), step) from error
    except AmbiguousTarget as error:
        raise Problem(409, "ambiguous-target", str(error), "add &ref=") from error
    except BadTarget as error:
        raise Problem(400, "bad-ref", str(error), "correct ref") from error
    return known[found.name]


def named(request: Request, name: str) -> Follower:
    """The worker of a target by its name; raises a Problem when there is none."""
    known = followers(request)
    if name in known:
        return known[name]
    step = f"known: {', '.join(known) or 'none'}"
    raise Problem(404, "unknown-target", f"there is no target {name!r}", step)


def refuse_when_stopping(request: Request) -> None:
    """Raise a Problem when the process is about to end."""
    if request.app.state.stopping.is_set():
        step = "ask again in a second, or another server"
        headers = {"Retry-After": "1"}
        raise Problem(503, "stopping", "this server is ending", step, headers)


def if_none_match(request: Request) -> list[str]:
    """The entity tags that the asker has already."""
    return [tag.strip() for tag in request.headers.get("If-None-Match", "").split(",")]
