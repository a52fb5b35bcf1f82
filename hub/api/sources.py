"""`GET /v1/sources`: the webhook endpoints, and which of their secrets are in use."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from fastapi import APIRouter

from hub.log.base import Log
from hub.log.values import SecretUse
from hub.recovery.remembered import Remembered, all_remembered
from hub.rotation import source_view
from hub.sources import Source
from hub.statuses.worker import Statuses


def router(
    sources: Sequence[Source],
    log: Log,
    clock: Callable[[], datetime],
    statuses: Statuses,
) -> APIRouter:
    """
    The routes over the configured sources and what one log remembers of them.

    Args:
        sources: all of them.
        log: the hub's.
        clock: the time, aware and in UTC.
        statuses: writes beside commits.
    """
    routes = APIRouter(prefix="/v1/sources", tags=["sources"])

    @routes.get("")
    async def list_all() -> dict[str, Any]:
        """Every source, with the last use of each of its secrets; never with a secret."""
        uses: defaultdict[str, list[SecretUse]] = defaultdict(list)
        for use in await log.secret_uses():
            uses[use.source].append(use)
        looks = await all_remembered(log, [one.name for one in sources])
        # Aside: it reads files, and recognising a secret takes some milliseconds.
        views = await asyncio.to_thread(_views, sources, uses, clock(), looks)
        for one in views:
            one["statuses"] = await statuses.view(one["name"])
        return {"sources": views}

    return routes


def _views(
    sources: Sequence[Source],
    uses: Mapping[str, Sequence[SecretUse]],
    now: datetime,
    looks: Mapping[str, Remembered],
) -> list[dict[str, Any]]:
    return [
        source_view(source, uses.get(source.name, ()), now)
        | {"recovery": _recovery(looks.get(source.name))}
        for source in sources
    ]


def _recovery(looks: Remembered | None) -> dict[str, Any] | None:
    """How the source's forge was looked at; nothing when it never was."""
    return None if looks is None else msgspec.to_builtins(looks)
