"""`/v1/targets` and `/v1/traces`: how targets stand, and the way of each push."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from hub.api.guarding import access_of, is_of
from hub.caught import caught_hint, known_of
from hub.finding import LEAST_CHARACTERS, find
from hub.log.base import Log
from hub.problem import Problem
from hub.standing import Standing, standing, standings
from hub.timelines import timelines
from hub.tokens import Access
from hub.tracing import traces

Needle = Annotated[
    str, Path(max_length=200, description="at least 7 digits of a commit, or what names the others")
]


def router(log: Log) -> APIRouter:
    """The routes over one log."""
    routes = APIRouter(prefix="/v1", tags=["trail"])

    @routes.get("/targets")
    async def list_targets(request: Request) -> dict[str, Any]:
        """Every target that was reported about, the latest first."""
        access = access_of(request)
        found = [one for one in await standings(log) if _is_of(access, one)]
        known = await known_of(log)
        # A hint may speak of deliveries that are the operator's business alone.
        hints = ["" if access.repositories else caught_hint(one, known) for one in found]
        told = [one | {"caught_hint": hint} for one, hint in zip(found, hints, strict=True)]
        return {"targets": told}

    @routes.get("/targets/{target:path}/timeline")
    async def get_timeline(
        request: Request,
        target: str,
        limit: Annotated[int, Query(ge=1, le=100, description="how many pushes")] = 10,
    ) -> dict[str, Any]:
        """
        The newest pushes of a target, oldest first, each as a list of stages.

        A name with slashes is written as it is, or each slash as `%2F`: `team/app`, `team%2Fapp`.
        """
        access = access_of(request)
        is_seen = not access.repositories or _is_of(access, await standing(log, target))
        found = timelines(await traces(log, target, limit)) if is_seen else []
        return {"target": target, "traces": _seen(access, found)}

    @routes.get("/traces/{needle}")
    async def get_traces(request: Request, needle: Needle) -> dict[str, Any]:
        """What became of a commit, a delivery (its id or number), a version or a trace."""
        found = _seen(access_of(request), await find(log, needle))
        if not found:
            raise Problem(404, "unknown-trace", f"nothing is known of {needle!r}", _step(needle))
        return {"traces": found}

    return routes


def _is_of(access: Access, standing: Standing) -> bool:
    """Whether all it is made of, as far as deliveries have told, is the asker's."""
    keys = [frozenset({key}) for key in standing["repositories"]]
    return not access.repositories or (bool(keys) and access.covers(keys))


def _seen(access: Access, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # Without a push, the names are those that a server gives its repositories.
    is_any = not access.repositories
    return [one for one in found if is_any or (one["subject"] and is_of(access, one))]


def _step(needle: str) -> str:
    if len(needle) < LEAST_CHARACTERS and not needle.isdecimal():
        return (
            f"give at least {LEAST_CHARACTERS} digits of a commit; `git rev-parse HEAD` prints it"
        )
    return (
        "if it was pushed, see `directcd deliveries refused` (GET /v1/refusals) and your forge's "
        "own list of deliveries: this hub has accepted none of it, or forgotten it"
    )
