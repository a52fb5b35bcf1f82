"""GET and HEAD /download: the bytes of a version."""

import asyncio
import base64
from typing import Annotated, Any, BinaryIO
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response

from cd4sources.api import common
from cd4sources.api.ranges import Unsatisfiable, asked_range
from cd4sources.api.sending import FileResponse, opened
from cd4sources.following import Follower
from cd4sources.keeping.versions import VERSION, Record
from cd4sources.problems import Problem

router = APIRouter(tags=["versions"])

_REF = "of the first repository, when several targets are made of these"
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "All of it; ETag and Repr-Digest are those of its bytes."},
    206: {"description": "The range that was asked for."},
    304: {"description": "It is what If-None-Match names."},
    410: {"description": "The version is not kept any more; the newest is named."},
    416: {"description": "The range begins behind the last byte."},
}
_ASK_AGAIN = {"Cache-Control": "no-cache"}  # a rebuild changes also a version's bytes


@router.get("/download", response_class=Response, responses=_ANSWERS)
@router.head("/download", include_in_schema=False)
async def download(
    request: Request,
    repo: common.Repos,
    ref: Annotated[str, Query(description=_REF)] = "",
    version: Annotated[str, Query(description="a kept one; default: the current one")] = "",
) -> Response:
    """The artifact's bytes: of the current version, or of a kept one."""
    follower = common.follower(request, repo, ref)
    record = await _kept(request, follower, version)
    headers = _headers(record) | _ASK_AGAIN
    if common.is_known(request.headers.get("If-None-Match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    part = _part(request, record, headers["ETag"])
    file = await _opened(request, follower, record)
    if part is None:
        return FileResponse(file, range(record.artifact.size), status=200, headers=headers)
    content = f"bytes {part.start}-{part.stop - 1}/{record.artifact.size}"
    return FileResponse(file, part, status=206, headers=headers | {"Content-Range": content})


def _headers(record: Record) -> dict[str, str]:
    digest = base64.b64encode(bytes.fromhex(record.artifact.sha256)).decode()
    return {
        "ETag": f'"{record.artifact.sha256}"',
        "Repr-Digest": f"sha-256=:{digest}:",
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"attachment; filename*=utf-8''{quote(record.artifact.name)}",
        "X-Directcd-Version": record.version,
    }


def _part(request: Request, record: Record, etag: str) -> range | None:
    """What is asked for, None for all: HEAD knows no ranges, and If-Range may know another file."""
    if request.method != "GET" or request.headers.get("If-Range", etag) != etag:
        return None
    size = record.artifact.size
    try:
        return asked_range(request.headers.get("Range", ""), size)
    except Unsatisfiable:
        headers = {"Content-Range": f"bytes */{size}", "ETag": etag}
        detail = f"{record.version} has {size} bytes, the range begins behind them"
        step = "download it without Range"
        raise Problem(416, "range-not-satisfiable", detail, step, headers) from None


async def _opened(request: Request, follower: Follower, record: Record) -> BinaryIO:
    path = common.store(request).artifact(record)
    file = await asyncio.to_thread(opened, path, record.artifact.size)
    if file is None:
        detail, step = f"{record.version} is damaged on disk", _way_out(follower, record.version)
        raise Problem(503, "artifact-missing", detail, step, {"Retry-After": "1"})
    return file


def _way_out(follower: Follower, version: str) -> str:
    """What ends the damage of a version: only what the sources give is made again."""
    if follower.offer.gives(version):
        refresh = f"POST /v1/targets/{follower.target.name}/refresh hurries it"
        return f"the next pass makes it again; {refresh}"
    if version == follower.offer.pinned:
        return follower.offer.unpin_step
    return "download another version, or the current one"


async def _kept(request: Request, follower: Follower, version: str) -> Record:
    """The version asked for, or the current one."""
    offer, current = follower.offer, follower.offer.current
    if current is None and offer.pinned:
        raise Problem(404, "pinned-missing", offer.lost_pin, offer.unpin_step)
    if current is None:
        why = follower.failure.message if follower.failure else "the first build has not ended"
        step = "watch, or see the reason and correct it"
        raise Problem(404, "nothing-built", f"nothing is built yet: {why}", step)
    if version in {"", current.version}:
        return current
    if not VERSION.fullmatch(version):
        raise Problem(400, "bad-version", "a version is v- and 12 hex digits", "correct version")
    record = await asyncio.to_thread(common.store(request).get, follower.target.name, version)
    if record is None:
        detail = f"{version} is not kept here (any more)"
        raise Problem(410, "version-gone", detail, f"the newest is {current.version}")
    return record
