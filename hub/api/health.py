"""`/livez` and `/readyz`: is the process alive, and may it be sent deliveries."""

import asyncio
from typing import Any

from fastapi import APIRouter

from hub.log.base import Log, LogUnavailable
from hub.log.spool_files import SpoolFull
from hub.problem import Problem


def router(log: Log, stopping: asyncio.Event) -> APIRouter:
    """The routes over one hub."""
    routes = APIRouter(tags=["health"])

    @routes.get("/livez")
    async def livez() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @routes.get("/readyz")
    async def readyz() -> dict[str, Any]:
        """The hub can store a delivery: in its log, or, degraded, on its own disk until then."""
        if stopping.is_set():
            raise Problem(503, "stopping", "the hub is shutting down", "use another replica")
        try:
            degraded = await log.check()
        except LogUnavailable as error:
            disk = "free space on, or mend, the hub's disk"
            step = error.next_step if isinstance(error, SpoolFull) else disk
            raise Problem(503, "log-unavailable", str(error), step) from error
        # Degraded is still ready: deliveries are taken, and nobody else could do better.
        status = {"status": "degraded", "reason": degraded} if degraded else {"status": "ok"}
        return {**status, "log": str(log.head)}

    return routes
