"""The HTTP handlers: watch and download versions, look at targets. Parse, ask, answer; no more."""

import asyncio
import base64
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import FiniteFloat

from cd4sources.following import Follower
from cd4sources.problems import Problem
from cd4sources.targets import AmbiguousTarget, BadTarget, UnknownTarget, find
from cd4sources.versions import VERSION, Record, Store

MAX_WATCH_SECONDS = 300.0
"""Longer than that, something between us and the client closes the silent connection."""

_DEFAULT_WATCH_SECONDS = 50.0  # below the 60 s at which many proxies give up
_HEADER_CHARACTERS = 500

Repos = Annotated[list[str], Query(min_length=1, max_length=100)]

router = APIRouter()


@router.get("/watch", response_model=Record)
async def watch(
    request: Request,
    repo: Repos,
    ref: str = "",
    version: str = "",
    timeout: FiniteFloat = _DEFAULT_WATCH_SECONDS,
) -> Response:
    """Answer when the version of the target made of these repositories differs from `version`."""
    follower = _follower(request, repo, ref)
    seconds = min(max(timeout, 0.0), MAX_WATCH_SECONDS)
    if not _is_news(follower, version):
        await _wait(request, follower, version, seconds)
    _refuse_when_stopping(request)
    headers = _last_error(follower)
    if follower.current is None or not _is_news(follower, version):
        return Response(status_code=204, headers=headers)
    return _record(request, follower.current, headers)


@router.api_route("/download", methods=["GET", "HEAD"])
async def download(request: Request, repo: Repos, ref: str = "", version: str = "") -> Response:
    """The artifact's bytes: of the current version, or of a kept one."""
    follower = _follower(request, repo, ref)
    record = await _kept(request, follower, version)
    digest = base64.b64encode(bytes.fromhex(record.artifact.sha256)).decode()
    headers = {
        "ETag": f'"{record.artifact.sha256}"',
        "Repr-Digest": f"sha-256=:{digest}:",
        "X-Directcd-Version": record.version,
    }
    if headers["ETag"] in _if_none_match(request):
        return Response(status_code=304, headers=headers)
    artifact = _store(request).artifact(record)
    if not artifact.is_file():
        step = "the next pass makes it again; POST /v1/targets/{t}/refresh hurries it"
        raise Problem(503, "artifact-missing", f"{record.version} is damaged on disk", step)
    return FileResponse(
        artifact,
        headers=headers,
        media_type="application/octet-stream",
        filename=record.artifact.name,
    )


@router.get("/v1/targets")
async def targets(request: Request) -> dict[str, list[dict[str, Any]]]:
    """All targets, as `/v1/targets/{name}` shows them."""
    return {"targets": [_shown(one) for one in _followers(request).values()]}


@router.get("/v1/targets/{name}")
async def target(request: Request, name: str) -> dict[str, Any]:
    """One target: what is current, when it was last looked at, and what went wrong."""
    return _shown(_named(request, name))


@router.post("/v1/targets/{name}/refresh", status_code=202)
async def refresh(request: Request, name: str) -> dict[str, str]:
    """Look now, and build also what could not be built before."""
    _named(request, name).refresh()
    return {"target": name, "status": "looking"}


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> dict[str, str]:
    """New clients are welcome."""
    _refuse_when_stopping(request)
    return {"status": "ok"}


def _followers(request: Request) -> Mapping[str, Follower]:
    followers: Mapping[str, Follower] = request.app.state.followers
    return followers


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def _follower(request: Request, repos: Sequence[str], ref: str) -> Follower:
    followers = _followers(request)
    try:
        found = find([one.target for one in followers.values()], repos, ref=ref)
    except UnknownTarget as error:
        step = "name all repositories of a target (GET /v1/targets), or configure one"
        raise Problem(404, "unknown-target", str(error), step) from error
    except AmbiguousTarget as error:
        raise Problem(409, "ambiguous-target", str(error), "add &ref=") from error
    except BadTarget as error:
        raise Problem(400, "bad-ref", str(error), "correct ref") from error
    return followers[found.name]


def _named(request: Request, name: str) -> Follower:
    followers = _followers(request)
    if name in followers:
        return followers[name]
    known = ", ".join(followers) or "none"
    raise Problem(404, "unknown-target", f"there is no target {name!r}", f"known: {known}")


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


def _refuse_when_stopping(request: Request) -> None:
    if request.app.state.stopping.is_set():
        step = "ask again in a second, or another server"
        headers = {"Retry-After": "1"}
        raise Problem(503, "stopping", "this server is ending", step, headers)


def _record(request: Request, record: Record, headers: dict[str, str]) -> Response:
    tagged = {**headers, "ETag": f'"{record.version}"'}
    if tagged["ETag"] in _if_none_match(request):
        return Response(status_code=304, headers=tagged)
    return JSONResponse(record.model_dump(mode="json"), headers=tagged)


def _if_none_match(request: Request) -> list[str]:
    return [tag.strip() for tag in request.headers.get("If-None-Match", "").split(",")]


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
    record = await asyncio.to_thread(_store(request).get, follower.target.name, version)
    if record is None:
        detail = f"{version} is not kept here (any more)"
        raise Problem(410, "version-gone", detail, f"the newest is {follower.current.version}")
    return record


def _last_error(follower: Follower) -> dict[str, str]:
    if follower.failure is None:
        return {}
    line = re.sub(r"[^\x20-\x7e]+", " ", follower.failure.message)[:_HEADER_CHARACTERS]
    return {"X-Directcd-Last-Error": line.strip()}


def _shown(follower: Follower) -> dict[str, Any]:
    failure = follower.failure
    return {
        "target": follower.target.name,
        "repositories": [
            {"url": one.url, "ref": one.ref or "HEAD", "replaces": one.replaces}
            for one in follower.target.repositories
        ],
        "current": follower.current,
        "last_pass_at": follower.last_pass_at,
        "last_error": failure,
    }
