"""GET /watch: blocks until there is another version."""

import asyncio
import re

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import FiniteFloat

from cd4sources.api import common
from cd4sources.following import Follower
from cd4sources.versions import Record

MAX_WATCH_SECONDS = 300.0
"""Longer than that, something between us and the client closes the silent connection."""

_DEFAULT_WATCH_SECONDS = 50.0  # below the 60 s at which many proxies give up
_HEADER_CHARACTERS = 500


router = APIRouter()


@router.get("/watch", response_model=Record)
async def watch(
    request: Request,
    repo: common.Repos,
    ref: str = "",
    version: str = "",
    timeout: FiniteFloat = _DEFAULT_WATCH_SECONDS,
) -> Response:
    """Answer when the version of the target made of these repositories differs from `version`."""
    follower = common.follower(request, repo, ref)
    seconds = min(max(timeout, 0.0), MAX_WATCH_SECONDS)
    if not _is_news(follower, version):
        await _wait(request, follower, version, seconds)
    common.refuse_when_stopping(request)
    headers = _last_error(follower)
    if follower.current is None or not _is_news(follower, version):
        return Response(status_code=204, headers=headers)
    return _record(request, follower.current, headers)


def _is_news(follower: Follower, version: str) -> bool:
    return follower.current is not None and follower.current.version != version


async def _wait(request: Request, follower: Follower, version: str, seconds: float) -> None:
    """Wait for news, the server's end, the client's leaving or the time-out."""
    stopping: asyncio.Event = request.app.state.stopping
    waiting = [
        asyncio.ensure_future(_news(follower, version)),
        asyncio.ensure_future(stopping.wait()),
        # The framework does not tell a handler that its client has gone.
        asyncio.ensure_future(_gone(request)),
    ]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _news(follower: Follower, version: str) -> None:
    while not _is_news(follower, version):
        await follower.changed.wait()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _record(request: Request, record: Record, headers: dict[str, str]) -> Response:
    tagged = {**headers, "ETag": f'"{record.version}"'}
    if tagged["ETag"] in common.if_none_match(request):
        return Response(status_code=304, headers=tagged)
    return JSONResponse(record.model_dump(mode="json"), headers=tagged)


def _last_error(follower: Follower) -> dict[str, str]:
    if follower.failure is None:
        return {}
    line = re.sub(r"[^\x20-\x7e]+", " ", follower.failure.message)[:_HEADER_CHARACTERS]
    return {"X-Directcd-Last-Error": line.strip()}
