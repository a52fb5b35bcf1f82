"""What all pages share: the templates, the answer's headers, the files beside them."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from hub.api.guarding import access_of
from hub.dashboard import text
from hub.dashboard.ansi import colourless
from hub.problem import Problem

if TYPE_CHECKING:
    import jinja2

# Everything comes from here, and nothing is in the page itself that could run:
# https://www.w3.org/TR/CSP3/
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with none a form's Origin is null, and it is refused
    "cache-control": "no-store",
}
FILES = {
    "style.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
MENU = (
    ("/", "Overview"),
    ("/deliveries", "Deliveries"),
    ("/subscribers", "Subscribers"),
    ("/builds", "Builds"),
    ("/setup", "Setup"),
    ("/health", "Health"),
)


@dataclass(frozen=True)
class Pages:
    """
    Renders templates.

    Attributes:
        clock: the time, aware and in UTC.
        is_guarded: whether the hub has tokens, so that one can sign in.
    """

    clock: Callable[[], datetime]
    is_guarded: bool
    menu: Sequence[tuple[str, str]] = field(default=MENU)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @cached_property
    def _templates(self) -> "jinja2.Environment":
        # Not before the first page: a hub that nobody looks at needs none of it.
        import jinja2

        made = jinja2.Environment(
            loader=jinja2.PackageLoader("hub.dashboard"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        made.filters |= {
            "visible": text.visible,
            "short": text.short,
            "branch": text.branch,
            "colourless": colourless,
            "duration": text.duration,
            "size": text.size,
            "ago": lambda time: text.ago(_time(time), self.clock()),
            "moment": lambda time: _time(time).isoformat(" ", "seconds").replace("+00:00", " UTC"),
        }
        return made

    async def page(self, request: Request, template: str, **values: Any) -> Response:
        """
        A whole page, made aside and in turn: deliveries are not to wait for readers.

        Args:
            request: whose path is marked in the menu.
            template: its file's name without `.html`.
            values: what it shows.
        """
        async with self._turn:
            return await asyncio.to_thread(self._answer, request, template, HTTPStatus.OK, values)

    async def problem(self, request: Request, problem: Problem) -> Response:
        """The page that says why there is none."""
        status = HTTPStatus(problem.status)
        async with self._turn:
            return await asyncio.to_thread(
                self._answer, request, "problem", status, {"problem": problem}
            )

    def _answer(
        self, request: Request, template: str, status: HTTPStatus, values: dict[str, Any]
    ) -> Response:
        access = access_of(request)
        shared = {
            "path": request.url.path,
            "here": str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""),
            "menu": self.menu,
            "is_guarded": self.is_guarded,
            "visitor": access.name,
            "may_change": access.may("admin"),
            "may_read": access.may("read"),
        }
        html = self._templates.get_template(f"{template}.html").render(shared | values)
        # A lone surrogate is in no UTF-8; `visible` shows it, but not all goes through that.
        body = html.encode("utf-8", "replace")
        return Response(body, status, HEADERS, "text/html; charset=utf-8")


def _time(time: datetime | str) -> datetime:
    return datetime.fromisoformat(time) if isinstance(time, str) else time


def static_files() -> APIRouter:
    """The routes of the style sheet, the script and the icon."""
    routes = APIRouter(prefix="/static", include_in_schema=False)
    contents = {
        name: files("hub.dashboard").joinpath("static", name).read_bytes() for name in FILES
    }
    tags = {name: f'"{hashlib.sha256(one).hexdigest()[:16]}"' for name, one in contents.items()}

    @routes.get("/{name}")
    async def file(name: str, request: Request) -> Response:
        """One file; a browser that has it is told so."""
        if name not in contents:
            raise Problem(404, "unknown-file", "there is no such file", "nothing refers to it")
        headers = HEADERS | {"cache-control": "no-cache", "etag": tags[name]}
        if request.headers.get("if-none-match") == tags[name]:
            return Response(status_code=304, headers=headers)
        return Response(contents[name], headers=headers, media_type=FILES[name])

    return routes
