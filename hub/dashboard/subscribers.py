"""`/subscribers`: who is told of what, how, and how far behind they are."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse

from hub.api.subscriptions import view
from hub.callbacks.worker import Callbacks
from hub.dashboard.pages import Pages
from hub.fanout import Fanout
from hub.problem import Problem
from hub.rules import Subscription
from hub.subscriptions import Registry

SEE_OTHER = 303
Id = Annotated[str, Path(max_length=100)]


def router(
    pages: Pages,
    registry: Registry,
    fanout: Fanout,
    callbacks: Callbacks,
    clock: Callable[[], datetime],
) -> APIRouter:
    """The routes over one registry."""
    routes = APIRouter(include_in_schema=False)

    async def row(subscription: Subscription) -> dict[str, Any]:
        shown = view(subscription, clock())
        progress = await callbacks.view(subscription)
        is_over = subscription.expires_at < clock()
        return shown | {"progress": progress, "is_over": is_over}

    @routes.get("/subscribers")
    async def listed(request: Request) -> Response:
        """Every subscription, by name."""
        await registry.ensure_loaded()
        rows = [await row(one) for one in registry.all()]
        behind = fanout.furthest_behind
        return await pages.page(request, "subscribers", subscriptions=rows, furthest_behind=behind)

    @routes.post("/subscribers/{subscription_id}/{change}")
    async def changed(subscription_id: Id, change: str) -> Response:
        """Pause or resume one."""
        changes = {"pause": registry.pause, "resume": registry.resume}
        if change not in changes or await changes[change](subscription_id) is None:
            step = "see the list: it may be gone"
            raise Problem(404, "unknown-subscription", "no such subscription", step)
        return RedirectResponse("/subscribers", SEE_OTHER)

    return routes
