"""`/health`: whether this hub is well, and where the refs stand that it has heard of."""

import asyncio

from fastapi import APIRouter, Request, Response

from hub.dashboard.looking import trouble_of
from hub.dashboard.pages import Pages
from hub.log.base import Log, LogUnavailable
from hub.log.values import Head
from hub.servers import ServerAway, Servers

HEADS_SHOWN = 100


def router(pages: Pages, log: Log, servers: Servers) -> APIRouter:
    """The routes over one log, and the servers that may be asked."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/health")
    async def health(request: Request) -> Response:
        """The log's state first; a log that is away hides only what is in it."""
        trouble = await trouble_of(log)
        try:
            heads: list[Head] = await log.heads("", HEADS_SHOWN)
        except LogUnavailable:
            heads = []
        engine = "Redis" if log.channels else "embedded (SQLite)"
        return pages.page(
            request,
            "health",
            trouble=trouble,
            engine=engine,
            head=str(log.head),
            heads=heads,
            servers=await asyncio.gather(*(_state(servers, name) for name in servers.names)),
        )

    return routes


async def _state(servers: Servers, name: str) -> dict[str, str]:
    try:
        told = await servers.ready(name)
    except ServerAway as error:
        return {"name": name, "state": "away", "reason": str(error)}
    state = "ready" if told.status == "ok" else "degraded"
    return {"name": name, "state": state, "reason": told.reason}
