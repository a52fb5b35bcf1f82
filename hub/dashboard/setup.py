"""`/setup`: for each source what to enter at the forge, and whether anything came from there."""

import asyncio
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from hub.dashboard.pages import Pages
from hub.log.base import Log
from hub.log.refused import Refusal
from hub.log.values import SecretUse
from hub.recovery.remembered import all_remembered
from hub.rotation import source_view
from hub.sources import Source
from hub.subscriptions import Registry

LOOKED_AT = 200  # refusals

TICKED = {
    "github": "Content type application/json, Just the push event",
    "gitea": "Type Gitea, POST, application/json, Trigger on: Push and Branch or tag deletion",
    "forgejo": "Type Forgejo, POST, application/json, Trigger on: Push and Deletion",
    "gogs": "Type Gogs, application/json, Push and Delete",
    "gitlab": "Trigger: Push events and Tag push events",
    "bitbucket": "Triggers: Repository push",
    "bitbucket_server": "Events: Repository push",
    "azure_devops": "Service hook Web Hooks, event Code pushed",
}
"""What to choose at the forge; docs/reference/providers.md has the whole."""


def router(
    pages: Pages, log: Log, sources: Sequence[Source], registry: Registry, public_url: str
) -> APIRouter:
    """The routes over the configured sources."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/setup")
    async def setup(request: Request) -> Response:
        """Each source with its address, its secrets and what came of late."""
        uses, refusals = await asyncio.gather(log.secret_uses(), log.refusals(LOOKED_AT, None))
        looks = await all_remembered(log, [one.name for one in sources])
        base = public_url or str(request.base_url).rstrip("/")

        def views() -> list[dict[str, Any]]:
            return [_view(one, uses, refusals) for one in sources]

        def _view(
            source: Source, uses: Sequence[SecretUse], refusals: Sequence[Refusal]
        ) -> dict[str, Any]:
            own = [use for use in uses if use.source == source.name]
            shown = source_view(source, own, pages.clock())
            refused = [one for one in refusals if one.source == source.name]
            ticked, url = TICKED.get(source.provider, ""), base + shown["path"]
            more = {"refused": refused, "ticked": ticked, "looks": looks.get(source.name)}
            return shown | {"url": url, **more}

        wanted = sorted({key for one in registry.all() for want in one.wants for key in want.keys})
        # Aside: it reads files, and recognising a secret takes some milliseconds.
        found = await asyncio.to_thread(views)
        return await pages.page(
            request, "setup", sources=found, wanted=wanted, is_public=bool(public_url)
        )

    return routes
