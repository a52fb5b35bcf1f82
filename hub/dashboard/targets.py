"""`/targets/{target}`: every push of late with its stages, and where it stopped."""

from fastapi import APIRouter, Request, Response

from hub.api.guarding import access_of
from hub.caught import caught_hint, known_of
from hub.dashboard.pages import Pages
from hub.log.base import Log
from hub.problem import Problem
from hub.standing import standing
from hub.timelines import timelines
from hub.tracing import traces

PUSHES_SHOWN = 25


def router(pages: Pages, log: Log) -> APIRouter:
    """The routes over one log."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/targets/{target:path}")
    async def timeline(request: Request, target: str) -> Response:
        """The newest push first."""
        one = await standing(log, target)
        if one["last"] is None:
            step = "the overview lists those that a server has reported about"
            raise Problem(404, "unknown-target", f"nothing is known of {target!r}", step)
        may_read = access_of(request).may("read")
        found = timelines(await traces(log, target, PUSHES_SHOWN))
        return await pages.page(
            request,
            "target",
            standing=one,
            hint=caught_hint(one, await known_of(log)) if may_read else "",
            lines=found[::-1],
        )

    return routes
