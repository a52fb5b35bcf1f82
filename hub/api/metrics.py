"""`GET /metrics`: for Prometheus."""

from fastapi import APIRouter, Response

from hub.log.base import Log, LogUnavailable
from hub.log.spool import SpooledLog
from hub.metrics import HubMetrics, LogState, Watched

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def router(watched: Watched) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["health"])
    made: list[HubMetrics] = []  # with the first scrape, which loads the library

    @routes.get("/metrics", response_class=Response)
    async def scrape() -> Response:
        """What this hub has counted since it started, as Prometheus reads it."""
        if not made:
            made.append(HubMetrics(watched))
        text = made[0].text(await _state(watched.log))
        return Response(text, media_type=MEDIA_TYPE)

    return routes


async def _state(log: Log) -> LogState:
    try:
        degraded = await log.check()
    except LogUnavailable as error:
        degraded = str(error)
    waiting = await log.waiting() if isinstance(log, SpooledLog) else (0, 0)
    return LogState(degraded, *waiting)
