"""GET and HEAD /download: the bytes of a version."""

import asyncio
import base64

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from cd4sources.api import common
from cd4sources.following import Follower
from cd4sources.problems import Problem
from cd4sources.versions import VERSION, Record

router = APIRouter()


@router.api_route("/download", methods=["GET", "HEAD"])
async def download(
    request: Request, repo: common.Repos, ref: str = "", version: str = ""
) -> Response:
    """The artifact's bytes: of the current version, or of a kept one."""
    follower = common.follower(request, repo, ref)
    record = await _kept(request, follower, version)
    digest = base64.b64encode(bytes.fromhex(record.artifact.sha256)).decode()
    headers = {
        "ETag": f'"{record.artifact.sha256}"',
        "Repr-Digest": f"sha-256=:{digest}:",
        "X-Directcd-Version": record.version,
    }
    if common.is_known(request.headers.get("If-None-Match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    artifact = common.store(request).artifact(record)
    if not artifact.is_file():
        step = "the next pass makes it again; POST /v1/targets/{t}/refresh hurries it"
        raise Problem(503, "artifact-missing", f"{record.version} is damaged on disk", step)
    return FileResponse(
        artifact,
        headers=headers,
        media_type="application/octet-stream",
        filename=record.artifact.name,
    )


async def _kept(request: Request, follower: Follower, version: str) -> Record:
    """The version asked for, or the current one."""
    if follower.current is None:
        why = follower.failure.message if follower.failure else "the first build has not ended"
        step = "watch, or see the reason and correct it"
        raise Problem(404, "nothing-built", f"nothing is built yet: {why}", step)
    if version in {"", follower.current.version}:
        return follower.current
    if not VERSION.fullmatch(version):
        raise Problem(400, "bad-version", "a version is v- and 12 hex digits", "correct version")
    record = await asyncio.to_thread(common.store(request).get, follower.target.name, version)
    if record is None:
        detail = f"{version} is not kept here (any more)"
        raise Problem(410, "version-gone", detail, f"the newest is {follower.current.version}")
    return record
