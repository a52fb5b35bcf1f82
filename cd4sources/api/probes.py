"""/livez and /readyz."""

from fastapi import APIRouter, Request

from cd4sources.api import common

router = APIRouter()


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> dict[str, str]:
    """New clients are welcome."""
    common.refuse_when_stopping(request)
    return {"status": "ok"}
