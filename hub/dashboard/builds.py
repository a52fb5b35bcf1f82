"""`/builds` and `/builds/{server}/{build}`: what the servers build, and what it prints."""

import asyncio
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse

from hub.api.guarding import access_of
from hub.dashboard.ansi import Line, lines
from hub.dashboard.pages import Pages
from hub.problem import Problem
from hub.servers import Build as BuildShown
from hub.servers import BuildLog, NotKept, ServerAway, Servers

SHOWN = 30  # builds of each server
_LEAST_CHARACTERS, _NAMED_CHARACTERS = 8, 100
_DIRECTORY = re.compile(r"^[^\s:]*/")  # in the log from anywhere, at the server from the tree on
_ERROR = re.compile(r"(error|exception|\bfatal|\bpanic|\bundefined|\bfailed)\b", re.IGNORECASE)

Build = Annotated[str, Path(pattern=r"^b-[0-9]{1,20}$")]


def router(pages: Pages, servers: Servers) -> APIRouter:
    """The routes over the servers that may be asked."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/builds")
    async def listed(request: Request, target: str = "", version: str = "") -> Response:
        """The newest of every server first, and who is away; of one version, its log instead."""
        found = await asyncio.gather(*(_listed(servers, name, target) for name in servers.names))
        builds = [one for some, _ in found for one in some]
        builds.sort(key=lambda one: one[1].started_at.timestamp(), reverse=True)
        if of_version := [(name, one.id) for name, one in builds if one.version == version]:
            server, build = of_version[0]
            return RedirectResponse(
                f"/builds/{quote(server)}/{build}#first-error", HTTPStatus.SEE_OTHER
            )
        troubles = [trouble for _, trouble in found if trouble]
        return await pages.page(
            request,
            "builds",
            builds=builds,
            troubles=troubles,
            target=target,
            has_servers=bool(servers.names),
        )

    @routes.get("/builds/{server}/{build}")
    async def log(request: Request, server: str, build: Build) -> Response:
        """One build's log, with its first error on top."""
        if server not in servers.names:
            step = "see [hub.servers] in the hub's directcd.toml"
            raise Problem(404, "unknown-server", f"no server is named {server!r} here", step)
        try:
            record = await servers.build(server, build)
            printed = await _printed(request, servers, server, build)
        except NotKept as error:
            step = "see the list for those that are: /builds"
            raise Problem(404, "unknown-build", f"{build}: {error}", step) from error
        except ServerAway as error:
            raise Problem(502, "server-away", str(error), "see that it runs: /health") from error
        # Aside: a long log takes a tenth of a second, and deliveries are not to wait for it.
        read = await asyncio.to_thread(_read, printed, record)
        return await pages.page(request, "build", server=server, build=record, **read)

    return routes


def _read(printed: BuildLog, build: BuildShown) -> dict[str, Any]:
    found = lines(printed.text)
    return {
        "lines": found,
        "is_cut": printed.is_cut or bool(found and found[0].number > 1),
        "first": first_error(found, build.message, build.state),
    }


async def _listed(
    servers: Servers, name: str, target: str
) -> tuple[Sequence[tuple[str, BuildShown]], str]:
    try:
        return [(name, one) for one in await servers.builds(name, target, SHOWN)], ""
    except NotKept:
        return [], ""  # another server's target
    except ServerAway as error:
        return [], str(error)


async def _printed(request: Request, servers: Servers, server: str, build: str) -> BuildLog:
    if not access_of(request).may("read"):
        return BuildLog("", is_cut=False)
    return await servers.log(server, build)


def first_error(found: Sequence[Line], message: str, state: str) -> Line | None:
    """The line to read first: the one that the server has named, else the first that says so."""
    if state != "failed":
        return None
    _, _, said = next(iter(message.strip().splitlines()), "").partition(": ")
    named = (line for line in found if _is_named(line.text, said))
    guessed = (line for line in found if _ERROR.search(line.text))
    return next(named, None) or next(guessed, None)


def _is_named(text: str, said: str) -> bool:
    # The server cuts its sentence, and what a tool prints may be in other words there.
    words = _DIRECTORY.sub("", text.strip())[:_NAMED_CHARACTERS]
    return len(words) >= _LEAST_CHARACTERS and words in said
