"""/v1/builds: what was built and what failed, each with its log."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from cd4sources.api import common
from cd4sources.api.ranges import Unsatisfiable, asked_range
from cd4sources.api.sending import FileResponse, opened
from cd4sources.building.builds import BuildRecord, Builds
from cd4sources.problems import Problem

_LOOK_SECONDS = 0.2  # as often as a person can read
_PIECE_BYTES = 64 * 1024
_TEXT = "text/plain; charset=utf-8"

router = APIRouter(tags=["builds"])


@router.get("/v1/builds")
async def builds(
    request: Request,
    target: Annotated[str, Query(description="of this one alone, by its name")] = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="how many at most")] = 50,
) -> dict[str, list[BuildRecord]]:
    """The newest builds of a target, or of all, newest first."""
    names = [target] if target else list(common.followers(request))
    if target:
        common.named(request, target)
    found = await asyncio.to_thread(_builds(request).list, names, limit=limit)
    return {"builds": found}


@router.get("/v1/builds/{build}")
async def build(request: Request, build: str) -> BuildRecord:
    """One build."""
    return await _found(request, build)


@router.get("/v1/builds/{build}/log")
async def log(
    request: Request,
    build: str,
    *,
    follow: Annotated[bool, Query(description="go on until the build ends")] = False,
) -> Response:
    """What it printed; with `follow`, what it prints, until it ends."""
    record = await _found(request, build)
    if follow:
        return StreamingResponse(_followed(request, record), media_type=_TEXT)
    file = await asyncio.to_thread(opened, _builds(request).log(record))
    if file is None:
        return Response(media_type=_TEXT)  # it has printed nothing (yet)
    return _so_far(file, request.headers.get("Range", ""))


@router.post("/v1/builds/{build}/cancel", status_code=202)
async def cancel(request: Request, build: str) -> dict[str, str]:
    """End a build with everything it started."""
    record = await _found(request, build)
    if not common.named(request, record.target).cancel(record.id):
        step = "nothing; or see /v1/builds for the one that runs"
        raise Problem(409, "not-running", f"{record.id} does not run (any more)", step)
    return {"build": record.id, "status": "cancelling"}


@router.post("/v1/targets/{name}/rebuild", status_code=202)
async def rebuild(request: Request, name: str) -> dict[str, Any]:
    """Look now, and build what is found, also when it was built before."""
    common.named(request, name).rebuild()
    return {"target": name, "status": "looking"}


def _so_far(file: BinaryIO, asked: str) -> Response:
    """What a log holds now, or a part of it: it may grow while it is sent."""
    size = os.fstat(file.fileno()).st_size
    headers = {"Content-Type": _TEXT, "Accept-Ranges": "bytes"}
    try:
        part = asked_range(asked, size)
    except Unsatisfiable:
        file.close()
        headers = {"Content-Range": f"bytes */{size}"}
        step = "read it without Range"
        raise Problem(416, "range-not-satisfiable", f"it has {size} bytes", step, headers) from None
    if part is None:
        return FileResponse(file, range(size), status=200, headers=headers)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    return FileResponse(file, part, status=206, headers=headers)


async def _followed(request: Request, record: BuildRecord) -> AsyncIterator[bytes]:
    """The log's bytes as they come, also from before its first one."""
    builds = _builds(request)
    stopping: asyncio.Event = request.app.state.stopping
    offset = 0
    while True:
        running = builds.is_running(record.id) and not stopping.is_set()
        if piece := await asyncio.to_thread(builds.read_log, record, offset, _PIECE_BYTES):
            offset += len(piece)
            yield piece
        elif running:
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            return


async def _found(request: Request, build: str) -> BuildRecord:
    """A build of a target that the asker may see."""
    record = await asyncio.to_thread(_builds(request).get, build)
    if record is None:
        step = "see `directcd builds list` (GET /v1/builds) for those that are"
        raise Problem(404, "unknown-build", f"{build!r} is not kept here (any more)", step)
    common.named(request, record.target)
    return record


def _builds(request: Request) -> Builds:
    found: Builds = request.app.state.builds
    return found
