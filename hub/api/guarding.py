"""
Who may ask: bearer tokens (RFC 6750), the same in a cookie for people's browsers, and the public.

Without tokens everybody who reaches the address may do everything, but for strange web pages.
"""

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from starlette.requests import HTTPConnection

from hub.api.asgi import Scope as Asked
from hub.api.asgi import Send, respond, respond_problem
from hub.api.origins import is_loopback, refuse_other_names, refuse_other_sites
from hub.log.values import StageReport
from hub.problem import Problem
from hub.settings import HubSettings
from hub.tokens import EVERYTHING, NOTHING, Access, Scope, Token, holder

logger = logging.getLogger(__name__)

COOKIE = "directcd_token"

PUBLIC = frozenset({"/livez", "/readyz", "/metrics", "/login", "/logout"})
PUBLIC_BELOW = ("/badges/", "/static/")
"""What needs no token in any case: probes, scrapes, the way to sign in, and what it looks like."""

BOUNDED = (
    "/v1/subscriptions", "/v1/events", "/v1/reports", "/v1/heads", "/v1/deliveries", "/v1/targets",
    "/v1/traces",
)  # fmt: skip
"""What can be told from one repository to the other: all that a token with `repositories` gets."""

LINE_EVERY_SECONDS = 60.0
_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
_NEXT = (
    "send `Authorization: Bearer dcd_…`, or sign in at /login; `directcd token new --for hub` "
    "makes a token, and the lines for the hub's configuration"
)


class Guard:
    """Lets requests in."""

    def __init__(self, settings: HubSettings) -> None:
        self._tokens = [
            Token(one.sha256, Access(one.name, frozenset(one.scopes), one.repositories))
            for one in settings.tokens
        ]
        self._is_local = is_loopback(settings.listen)
        self._has_public_pages = settings.has_public_pages
        self._refused = 0
        self._said_at = -math.inf

    def admit(self, scope: Asked) -> None:
        """
        Put what the sender of a request may do into its `state.access`.

        Raises:
            Problem: 401, there is no token, or a wrong one; 403, one that is not good for this, or
                it is sent for a web page from elsewhere.
        """
        asked = HTTPConnection(scope)
        scope.setdefault("state", {})["access"] = self._access(asked, scope["method"])

    def known(self, token: str) -> Access | None:
        """What the holder of a token may do; None when there is no such token."""
        return holder(self._tokens, token)

    def _access(self, asked: HTTPConnection, method: str) -> Access:
        path: str = asked.scope["path"]
        changes = method not in _LOOKING
        if not self._tokens:
            self._refuse_pages(asked, changes=changes)
            return EVERYTHING
        if is_public(path):
            if changes:
                refuse_other_sites(asked, by_cookie=False)
            return NOTHING
        token, by_cookie = _token_of(asked)
        if changes and by_cookie:
            refuse_other_sites(asked, by_cookie=True)
        if not path.startswith("/v1/") and not changes:
            return self._visitor(token, asked)
        access, scopes = self._holder(token, asked), needed(method, path)
        _refuse_unless_good(access, path, scopes)
        if scopes == ("admin",):
            # Who has sent something again, or thrown it away, is asked afterwards.
            keys = {"method": method, "path": path[:200], "token": access.name}
            logger.info("change asked for", extra={**keys, "peer": _peer(asked)})
        return access

    def _refuse_pages(self, asked: HTTPConnection, *, changes: bool) -> None:
        if self._is_local and asked.scope["path"] not in PUBLIC:
            refuse_other_names(asked)
        if changes:
            refuse_other_sites(asked, by_cookie=False)

    def _visitor(self, token: str, asked: HTTPConnection) -> Access:
        """What is shown on a page: to somebody with a stale cookie, or for a few repositories."""
        access = self.known(token) if token else None
        if access and not access.repositories:
            return access
        if self._has_public_pages:
            return NOTHING
        access = self._holder(token, asked)
        _refuse_unless_good(access, asked.scope["path"], ("read",))
        return access

    def _holder(self, token: str, asked: HTTPConnection) -> Access:
        if not token:
            raise Problem(401, "token-missing", "this hub wants a token", _NEXT)
        access = self.known(token)
        if access is None:
            self.say(asked)
            raise Problem(401, "token-unknown", "the token is not known here", _NEXT)
        return access

    def say(self, asked: HTTPConnection) -> None:
        """Log a wrong token without it; who tries it again and again is a line a minute."""
        self._refused += 1
        now = time.monotonic()
        if now - self._said_at < LINE_EVERY_SECONDS:
            return
        keys = {"peer": _peer(asked), "path": asked.scope["path"][:200], "refused": self._refused}
        logger.warning("token not known, refused", extra=keys)
        self._refused, self._said_at = 0, now


def is_public(path: str) -> bool:
    """Whether a path needs no token in any case."""
    return path in PUBLIC or path.startswith(PUBLIC_BELOW)


def _peer(asked: HTTPConnection) -> str:
    return asked.client.host if asked.client else "unknown"


def access_of(request: Request) -> Access:
    """What the sender of a request may do."""
    found: Access = request.state.access
    return found


async def refuse(scope: Asked, send: Send, problem: Problem) -> None:
    """Answer a request that was not let in; a person is shown where to sign in."""
    is_bounded = problem.code == "token-bounded"
    if _is_page(scope) and (is_bounded or problem.status == 401):  # noqa: PLR2004
        failed = "?failed=token-bounded" if is_bounded else ""
        await respond(send, 303, b"", "text/plain", {"location": f"/login{failed}"})
    elif problem.status != 401:  # noqa: PLR2004
        await respond_problem(send, problem)
    else:
        error = ' error="invalid_token"' if problem.code == "token-unknown" else ""
        await respond_problem(send, problem, {"www-authenticate": f"Bearer{error}"})


def _is_page(scope: Asked) -> bool:
    accepted = HTTPConnection(scope).headers.get("Accept", "")
    return scope["method"] == "GET" and "text/html" in accepted


def _token_of(asked: HTTPConnection) -> tuple[str, bool]:
    """The token, "" when there is none, and whether the browser sent it by itself."""
    kind, _, token = asked.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and token.strip():
        return token.strip(), False
    cookie = asked.cookies.get(COOKIE, "")
    return cookie, bool(cookie)


def needed(method: str, path: str) -> tuple[Scope, ...]:
    """The scopes of which one must be there."""
    looking = method in _LOOKING
    if path == "/v1/reports":
        return ("report",)
    if path == "/v1/events" or (looking and path.startswith("/v1/subscriptions")):
        return "subscribe", "read"
    if path.startswith("/v1/subscriptions") and not path.endswith(("/pause", "/resume")):
        return ("subscribe",)
    return ("read",) if looking or path == "/v1/explain" else ("admin",)


def _refuse_unless_good(access: Access, path: str, scopes: tuple[Scope, ...]) -> None:
    if not access.may(*scopes):
        detail = f"the token {access.name} does not have the scope {' or '.join(scopes)}"
        step = f"use one with it: `directcd token new --for hub --scope {scopes[0]}`"
        raise Problem(403, "scope-missing", detail, step)
    if access.repositories and not path.startswith(BOUNDED):
        detail = f"the token {access.name} is for some repositories, and this is about all of them"
        raise Problem(403, "token-bounded", detail, "use a token without `repositories`")


def is_of(access: Access, document: Mapping[str, Any]) -> bool:
    """Whether somebody may see a document about the repository that it names by its key."""
    return access.covers([frozenset({document["repository"] or ""})])


def is_bounded_to(access: Access, report: StageReport) -> bool:
    """Whether a report was sent by somebody who may speak of no more than this one may."""
    return bool(report.bounds) and set(report.bounds) <= set(access.repositories)


def refuse_others(access: Access, repositories: "list[frozenset[str]]") -> None:
    """
    Let somebody ask about these repositories, given by their keys.

    Raises:
        Problem: 403, the token is not for one of them.
    """
    if not access.covers(repositories):
        detail = f"the token {access.name} is not for one of these repositories"
        step = "name others, or use a token whose `repositories` cover them"
        raise Problem(403, "repository-forbidden", detail, step)
