"""`/health`: whether this hub is well, and where the refs stand that it has heard of."""

from fastapi import APIRouter, Request, Response

from hub.dashboard.looking import trouble_of
from hub.dashboard.pages import Pages
from hub.log.base import Log, LogUnavailable
from hub.log.values import Head
from hub.servers import Servers

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
        return await pages.page(
            request,
            "health",
            trouble=trouble,
            engine=engine,
            head=str(log.head),
            heads=heads,
            servers=await servers.states(),
        )

    return routes
