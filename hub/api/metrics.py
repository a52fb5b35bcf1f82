"""`GET /metrics`: for Prometheus."""

from fastapi import APIRouter, Response

from hub.log.base import Log, LogUnavailable
from hub.log.spool import SpooledLog
from hub.metrics import HubMetrics, LogState

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def router(shown: HubMetrics, log: Log) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["health"])

    @routes.get("/metrics", response_class=Response)
    async def scrape() -> Response:
        """What this hub has counted since it started, as Prometheus reads it."""
        return Response(shown.text(await _state(log)), media_type=MEDIA_TYPE)

    return routes


async def _state(log: Log) -> LogState:
    try:
        degraded = await log.check()
    except LogUnavailable as error:
        degraded = str(error)
    waiting = await log.waiting() if isinstance(log, SpooledLog) else (0, 0)
    return LogState(degraded, *waiting)
