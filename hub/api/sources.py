"""`GET /v1/sources`: the webhook endpoints, and which of their secrets are in use."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from fastapi import APIRouter

from hub.log.base import Log
from hub.log.values import SecretUse
from hub.rotation import source_view
from hub.sources import Source


def router(sources: Sequence[Source], log: Log, clock: Callable[[], datetime]) -> APIRouter:
    """The routes over the configured sources and what one log remembers of them."""
    routes = APIRouter(prefix="/v1/sources", tags=["sources"])

    @routes.get("")
    async def list_all() -> dict[str, Any]:
        """Every source, with the last use of each of its secrets; never with a secret."""
        uses: defaultdict[str, list[SecretUse]] = defaultdict(list)
        for use in await log.secret_uses():
            uses[use.source].append(use)
        # Aside: it reads files, and recognising a secret takes some milliseconds.
        return {"sources": await asyncio.to_thread(_views, sources, uses, clock())}

    return routes


def _views(
    sources: Sequence[Source], uses: Mapping[str, Sequence[SecretUse]], now: datetime
) -> list[dict[str, Any]]:
    return [source_view(source, uses.get(source.name, ()), now) for source in sources]
