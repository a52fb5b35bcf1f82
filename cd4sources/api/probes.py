"""/livez, /readyz and /metrics."""

import asyncio

from fastapi import APIRouter, Request, Response

from cd4sources.api import common
from cd4sources.health import Health
from cd4sources.metrics import ServerMetrics

METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> dict[str, str]:
    """New clients are welcome: also while it is degraded, for what there is can be had."""
    common.refuse_when_stopping(request)
    health: Health = request.app.state.health
    troubles = await asyncio.to_thread(health.troubles)
    return {"status": "degraded", "reason": "; ".join(troubles)} if troubles else {"status": "ok"}


@router.get("/metrics", response_class=Response)
async def scrape(request: Request) -> Response:
    """What this server has counted since it started, as Prometheus reads it."""
    metrics: ServerMetrics = request.app.state.metrics
    return Response(await metrics.text(), media_type=METRICS_MEDIA_TYPE)
