"""`/v1/deliveries`: what came in and what became of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from hub.log.base import Log
from hub.problem import Problem

MOST = 2**62  # what SQLite can compare with


def router(log: Log) -> APIRouter:
    """The routes over one log."""
    routes = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])

    @routes.get("")
    async def list_newest(
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        before: Annotated[int | None, Query(ge=1, le=MOST)] = None,
    ) -> dict[str, Any]:
        """Accepted deliveries, newest first; `before` continues behind an earlier page."""
        return {"deliveries": await log.deliveries(limit, before)}

    @routes.get("/{number}")
    async def get(number: Annotated[int, Path(ge=1, le=MOST)]) -> dict[str, Any]:
        """One delivery with the explanation its sender was given."""
        found = await log.delivery(number)
        if found is None:
            raise Problem(
                404,
                "unknown-delivery",
                f"delivery {number} is not remembered",
                "GET /v1/deliveries lists those that are",
            )
        return found

    return routes
