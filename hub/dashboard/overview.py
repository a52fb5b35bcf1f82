"""`/`: what needs attention, and how each target stands. `/badges/{target}.svg`: that in a word."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from hub.api.guarding import access_of
from hub.dashboard.badge import badge
from hub.dashboard.looking import Looker
from hub.dashboard.pages import HEADERS, Pages
from hub.log.base import LogUnavailable
from hub.standing import standing

SPARK_WIDTH, SPARK_HEIGHT = 200.0, 28.0


def router(pages: Pages, looker: Looker) -> APIRouter:
    """The routes over what a looker sees."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def overview(request: Request) -> Response:
        """Attention first, then a card for each target."""
        seen = await looker.look(may_read=access_of(request).may("read"))
        shown = [
            {"standing": one, "spark": spark(one["push_to_running_ms"])}
            for one in seen.targets or ()
        ]
        return await pages.page(
            request, "overview", targets=shown, items=seen.items, is_known=seen.targets is not None
        )

    @routes.get("/badges/{target:path}.svg")
    async def status_badge(target: str) -> Response:
        """How a target stands, for a README."""
        try:
            state = str((await standing(looker.log, target))["state"])
        except LogUnavailable:
            state = "unknown"
        return Response(badge(target, state), headers=HEADERS, media_type="image/svg+xml")

    return routes


def spark(values: Sequence[float]) -> dict[str, Any]:
    """The points of a line through values, oldest first, on a scale that begins at nought."""
    if len(values) < 2:  # noqa: PLR2004 - one point makes no line
        return {}
    most = max(*values, 1.0)
    step = SPARK_WIDTH / max(len(values) - 1, 1)
    points = [
        (round(index * step, 1), round(SPARK_HEIGHT - 3 - one / most * (SPARK_HEIGHT - 6), 1))
        for index, one in enumerate(values)
    ]
    return {"points": " ".join(f"{x},{y}" for x, y in points), "last": points[-1]}
