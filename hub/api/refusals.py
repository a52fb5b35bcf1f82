"""`/v1/refusals`: what was sent to a webhook and not accepted."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from hub.api.deliveries import MOST
from hub.log.base import Log
from hub.log.refused import refusal_document


def router(log: Log) -> APIRouter:
    """The routes over one log."""
    routes = APIRouter(prefix="/v1/refusals", tags=["deliveries"])

    @routes.get("")
    async def list_newest(
        limit: Annotated[int, Query(ge=1, le=500, description="how many at most")] = 50,
        before: Annotated[
            int | None, Query(ge=1, le=MOST, description="a number: go on behind it")
        ] = None,
    ) -> dict[str, Any]:
        """Refused deliveries, newest first, equal ones as one; `before` continues behind a page."""
        return {"refusals": [refusal_document(one) for one in await log.refusals(limit, before)]}

    return routes
