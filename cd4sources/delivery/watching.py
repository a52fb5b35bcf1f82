"""
Which version there is, asked of several servers.

The first server in the settings' order that is fit answers for all. One is passed over for a while
when it fails, or when it lags: what it offers became current there before what another server has
already told us became current. A roll-back is no lag: it becomes current anew, so it is the newest.
Clocks that differ can make a new version look old, so a server that lags is believed after all when
nobody else has answered for some minutes, counted from its first answer that was refused.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cd4sources.delivery.records import Delivered, Record
from cd4sources.http import BadAnswer, Http, HttpError, shown
from cd4sources.token_files import read_token

WATCH_SECONDS = 50
"""How long a server may hold a question; below the usual minute of proxies."""

WATCH_GRACE_SECONDS = 10.0
"""An answer this much later does not come any more."""

RETURN_SECONDS = 30.0
"""
A server that was passed over is asked again after this: who comes and goes is not followed. It may
be `WATCH_SECONDS` more, when another one is just holding the question.
"""

LAG_PATIENCE_SECONDS = 300.0
"""Nobody but a server that lags has answered for so long: the others are gone for good."""

LEAST_WAIT_SECONDS = 1.0
"""Who answers sooner that there is nothing new, though given time, is not asked again before."""

NOTHING_NEW = 204

Query = list[tuple[str, str]]

logger = logging.getLogger(__name__)


class NoServer(HttpError):
    """No server answered as it should; the message has each one's reason."""


@dataclass
class _Server:
    """A server, and what it said last."""

    url: str
    offer: Delivered | None = None
    fit: bool = False
    missed: bool = False
    due: float = 0.0


class Watch:
    """
    What the servers say, one question after the other.

    Args:
        http: The connections to use.
        servers: Their URLs, in order of preference.
        query: Names the target.
        token_file: Where the token for the servers is.
        newest: The version that was current here in an earlier life.
    """

    def __init__(
        self,
        http: Http,
        servers: Iterable[str],
        query: Query,
        *,
        token_file: Path | None = None,
        newest: Delivered | None = None,
    ) -> None:
        """Ask nothing yet."""
        self._http = http
        self._servers = [_Server(url) for url in servers]
        self._query = query
        self._token_file = token_file
        self._newest = self._held = newest
        self._failed = ""
        self._running = ""
        self._lagging_since: float | None = None

    async def news(self, *, patient: bool, running: str = "") -> Delivered | None:
        """
        Ask for another version than the last one.

        Args:
            patient: Let the server hold the question until there is one.
            running: The version that runs here, empty for none: the server keeps it.

        Returns:
            The version; None: nothing new in time.

        Raises:
            NoServer: None is fit to be asked.
        """
        self._running = running
        reasons: list[str] = []
        for server in self._in_order():
            # Only who has just answered is given time: one that hangs would cost all of it.
            timeout = WATCH_SECONDS if patient and server.fit else 0
            soonest = time.monotonic() + min(timeout, LEAST_WAIT_SECONDS)
            try:
                is_new = await self._ask(server, timeout)
                self._refuse_lag(server)
            except HttpError as error:
                reasons.append(str(error))
                self._tell(server, str(error))
                self._pass_over(server)
                continue
            offer = self._accept(server, is_new=is_new)
            if offer is None:
                await asyncio.sleep(soonest - time.monotonic())
            return offer
        raise NoServer("; ".join(reasons))

    def delivered(self, version: Delivered) -> None:
        """Note that a version is here: from now on an older one is one that lags."""
        self._held = version

    def failed(self, version: Delivered) -> None:
        """Note that a version could not be had: once more from the same server, then of others."""
        self._newest = self._held
        for server in self._servers:
            if server.url == version.server:
                server.offer = None
                if self._failed == version.version:
                    self._pass_over(server)
        self._failed = version.version

    def ask_anew(self) -> None:
        """Ask as if nothing was known: what was delivered is here no longer."""
        for server in self._servers:
            server.offer = None

    def _in_order(self) -> list[_Server]:
        now = time.monotonic()
        return sorted(self._servers, key=lambda server: server.due > now)

    def _tell(self, server: _Server, reason: str) -> None:
        """Once when a server drops out; of a single one its outage tells."""
        if not server.missed and len(self._servers) > 1:
            server.missed = True
            keys = {"server": shown(server.url), "reason": reason}
            logger.warning("server passed over, asking the next", extra=keys)

    def _pass_over(self, server: _Server) -> None:
        server.fit = False
        server.due = time.monotonic() + RETURN_SECONDS

    async def _ask(self, server: _Server, timeout: int) -> bool:
        """Ask one server; tell whether it had news."""
        known = [("version", server.offer.version)] if server.offer else []
        reply = await self._http.get_json(
            f"{server.url}/watch",
            [*self._query, *known, ("running", self._running), ("timeout", str(timeout))],
            timeout_seconds=timeout + WATCH_GRACE_SECONDS,
            token=read_token(self._token_file),
        )
        if reply.status == NOTHING_NEW:
            return False
        offer = Delivered.said_by(server.url, reply.read(Record))
        if server.offer and server.offer.version == offer.version:
            raise BadAnswer(f"{shown(server.url)} answers with {offer.version}, which is not new")
        server.offer = offer
        return True

    def _refuse_lag(self, server: _Server) -> None:
        offer, newest = server.offer, self._newest
        if offer is None and len(self._servers) > 1:
            raise NoServer(f"{shown(server.url)} has nothing to offer yet")
        if offer is None or newest is None or not _lags(offer, newest):
            self._lagging_since = None
            return
        now = time.monotonic()
        self._lagging_since = self._lagging_since or now
        keys = {"server": shown(server.url), "offers": offer.version, "instead_of": newest.version}
        if now - self._lagging_since < LAG_PATIENCE_SECONDS:
            told = f"{keys['server']} lags: it offers {offer.version}, older than {newest.version}"
            raise NoServer(told)
        logger.warning("only a server that lags has answered for long, believing it", extra=keys)

    def _accept(self, server: _Server, *, is_new: bool) -> Delivered | None:
        if server.missed:
            logger.info("server is believed again", extra={"server": shown(server.url)})
        server.fit, server.missed, server.due = True, False, 0.0
        known, offer = self._newest, server.offer
        if offer is None:
            return None
        self._newest = offer
        return offer if is_new or known is None or known.version != offer.version else None


def _lags(offer: Delivered, newest: Delivered) -> bool:
    """Whether an offer is older than what another server said; unknown times are believed."""
    if offer.server == newest.server or offer.version == newest.version:
        return False
    if offer.published_at is None or newest.published_at is None:
        return False
    return offer.published_at < newest.published_at
