"""/v1/targets/{name}/versions: what is kept, and which of it is offered."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from cd4sources.api import common
from cd4sources.following import Follower
from cd4sources.keeping.store import UnknownVersion
from cd4sources.keeping.versions import VERSION, Record
from cd4sources.problems import Problem

router = APIRouter(tags=["targets"])


class Pin(BaseModel):
    """Which version is to stay."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    version: str = Field(pattern=f"^{VERSION.pattern}$")
    """One of those that are kept."""


@router.get("/v1/targets/{name}/versions")
async def versions(request: Request, name: str) -> dict[str, Any]:
    """All versions that are kept, newest first, and why there is no newer one."""
    follower = common.named(request, name)
    store = common.store(request)
    records = await asyncio.to_thread(store.list, name)
    running = store.running(name)
    shown = [_shown(follower, record, running) for record in records]
    return {"versions": shown, "last_error": follower.failure}


@router.post("/v1/targets/{name}/pin")
async def pin(request: Request, name: str, wanted: Pin) -> dict[str, Any]:
    """Offer this version until it is unpinned; newer ones are built all the same."""
    follower = common.named(request, name)
    try:
        await _written(follower.pin(wanted.version))
    except UnknownVersion as error:
        step = f"see `directcd versions list {name}` (GET /v1/targets/{name}/versions)"
        raise Problem(404, "unknown-version", str(error), step) from error
    return _state(follower)


@router.post("/v1/targets/{name}/unpin")
async def unpin(request: Request, name: str) -> dict[str, Any]:
    """Offer the newest version again."""
    follower = common.named(request, name)
    await _written(follower.unpin())
    return _state(follower)


@router.post("/v1/targets/{name}/rollback")
async def rollback(request: Request, name: str) -> dict[str, Any]:
    """Pin the version that was offered before the current one."""
    follower = common.named(request, name)
    try:
        await _written(follower.roll_back())
    except UnknownVersion as error:
        step = "push a commit that undoes the change, or raise keep_versions for the next time"
        raise Problem(409, "no-earlier-version", str(error), step) from error
    return _state(follower)


async def _written(change: Awaitable[None]) -> None:
    """Wait for a change of what is offered; a disk that does not take it is no riddle."""
    try:
        await change
    except OSError as error:
        step = "make room on the server's disk, then ask again"
        raise Problem(507, "not-written", str(error), step) from error


def _state(follower: Follower) -> dict[str, Any]:
    return {
        "target": follower.target.name,
        "current": follower.offer.current,
        "pinned": follower.offer.pinned or None,
    }


def _shown(follower: Follower, record: Record, running: frozenset[str]) -> dict[str, Any]:
    current = follower.offer.current
    return {
        **record.model_dump(mode="json"),
        "current": current is not None and current.version == record.version,
        "pinned": follower.offer.pinned == record.version,
        "running": record.version in running,
    }
