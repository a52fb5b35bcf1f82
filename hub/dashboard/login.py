"""`GET /login`: the form; what it sends goes to `hub.api.sessions`."""

from fastapi import APIRouter, Request, Response

from hub.dashboard.pages import Pages


def router(pages: Pages) -> APIRouter:
    """The route of the form."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/login")
    async def login(request: Request, failed: str = "", next: str = "/") -> Response:  # noqa: A002
        """Ask for a token."""
        return await pages.page(request, "login", failed=failed, goal=next)

    return routes
