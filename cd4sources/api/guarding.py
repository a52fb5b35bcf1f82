"""Who may ask: bearer tokens (RFC 6750) before everything but the probes."""

import logging
import time
from collections.abc import Sequence

from starlette.requests import HTTPConnection

from cd4sources.api.origins import refuse_other_names, refuse_other_sites
from cd4sources.problems import Problem
from cd4sources.settings import TokenSettings
from cd4sources.tokens import EVERYTHING, Access, Scope, find

logger = logging.getLogger(__name__)

PUBLIC = frozenset({"/livez", "/readyz", "/metrics"})
"""What load balancers, orchestrators and Prometheus ask, who hold no token."""

_LINE_EVERY_SECONDS = 1.0
_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
_NEXT = (
    "send `Authorization: Bearer dcd_…`; `directcd token new` makes a token, and the lines for "
    "the server's configuration"
)

_CHALLENGE = {"WWW-Authenticate": "Bearer"}
_CHALLENGE_AGAIN = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class Guard:
    """Lets requests in. Without tokens everybody may do everything, but for strange web pages."""

    def __init__(self, tokens: Sequence[TokenSettings], *, is_local: bool) -> None:
        """Take the configured tokens, and whether only this machine can ask."""
        self._known = [
            (
                one.sha256,
                Access(one.name, frozenset(one.scopes), tuple(map(_folded, one.repositories))),
            )
            for one in tokens
        ]
        self._is_local = is_local
        self._refused = 0
        self._said_at = 0.0

    def admit(self, connection: HTTPConnection) -> Access:
        """
        What the sender of a request may do.

        Raises:
            Problem: 401, no or a wrong token; 403, one that does not allow it, or without tokens a
                web page from elsewhere.
        """
        if connection.scope["path"] in PUBLIC:
            return EVERYTHING
        scope = needed(connection.scope["method"])
        access = self._asker(connection, scope)
        if scope == "admin":
            # Who has rolled back, and when, is asked afterwards.
            keys = {"path": connection.scope["path"][:200], "token": access.name}
            logger.info("change asked for", extra={**keys, "peer": _peer(connection)})
        return access

    def _asker(self, connection: HTTPConnection, scope: Scope) -> Access:
        if not self._known:
            self._refuse_pages(connection, scope)
            return EVERYTHING
        access = self._holder(connection)
        if not access.may(scope):
            detail = f"the token {access.name} does not have the scope {scope}"
            step = f"use a token with it: `directcd token new --scope {scope}`"
            raise Problem(403, "scope-missing", detail, step)
        return access

    def _refuse_pages(self, connection: HTTPConnection, scope: Scope) -> None:
        if self._is_local:
            refuse_other_names(connection)
        if scope == "admin":
            refuse_other_sites(connection)

    def _holder(self, connection: HTTPConnection) -> Access:
        scheme, _, token = connection.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Problem(401, "token-missing", "this server wants a token", _NEXT, _CHALLENGE)
        access = find(self._known, token.strip())
        if access is None:
            self._say(connection)
            detail = "the token is not known here"
            raise Problem(401, "token-unknown", detail, _NEXT, _CHALLENGE_AGAIN)
        return access

    def _say(self, connection: HTTPConnection) -> None:
        """Log a wrong token without it; a flood of them is one line a second."""
        self._refused += 1
        if time.monotonic() - self._said_at < _LINE_EVERY_SECONDS:
            return
        path = connection.scope["path"][:200]
        keys = {"peer": _peer(connection), "path": path, "refused": self._refused}
        logger.warning("token not known, refused", extra=keys)
        self._refused, self._said_at = 0, time.monotonic()


def needed(method: str) -> Scope:
    """The scope that a request asks for."""
    return "read" if method in _LOOKING else "admin"


def _peer(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else "unknown"


def _folded(glob: str) -> str:
    """As keys are written: in lower case, but for paths of this machine."""
    return glob if glob.startswith("file:") else glob.lower()
