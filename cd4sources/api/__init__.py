"""
The HTTP handlers of the server, one file a resource: parse, ask, answer; no more.

What they ask is in `following`, `store` and `builds`; how a "no" looks is in `problems`. /watch is
raw ASGI, and `openapi` describes it; the others are routes.
"""

from fastapi import APIRouter

from cd4sources.api import builds, downloading, probes, targets, versions

router = APIRouter()
for resource in (downloading, targets, versions, builds, probes):
    router.include_router(resource.router)

__all__ = ["router"]
