"""/v1/targets: what is followed, and how it goes."""

from typing import Any

from fastapi import APIRouter, Request

from cd4sources.api import common
from cd4sources.following import Follower

router = APIRouter(tags=["targets"])


@router.get("/v1/targets")
async def targets(request: Request) -> dict[str, list[dict[str, Any]]]:
    """All targets, as `/v1/targets/{name}` shows them."""
    return {"targets": [_shown(one) for one in common.followers(request).values()]}


@router.get("/v1/targets/{name}")
async def target(request: Request, name: str) -> dict[str, Any]:
    """One target: what is current, when it was last looked at, and what went wrong."""
    return _shown(common.named(request, name))


@router.post("/v1/targets/{name}/refresh", status_code=202)
async def refresh(request: Request, name: str) -> dict[str, str]:
    """Look now, and build also what could not be built before."""
    common.named(request, name).refresh()
    return {"target": name, "status": "looking"}


def _shown(follower: Follower) -> dict[str, Any]:
    failure = follower.failure
    return {
        "target": follower.target.name,
        "repositories": [
            {"url": one.url, "ref": one.ref or "HEAD", "replaces": one.replaces}
            for one in follower.target.repositories
        ],
        "current": follower.offer.current,
        "pinned": follower.offer.pinned or None,
        "last_pass_at": follower.last_pass_at,
        "last_error": failure,
    }
