"""
The networks that GitHub calls webhooks from, as it publishes them.

https://docs.github.com/rest/meta/meta#get-github-meta-information: everybody may ask, and what has
not changed is answered with 304.
"""

import asyncio
import logging
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

from hub.forges.errors import ForgeError
from hub.forges.github import HEADERS
from hub.forges.http import ForgeHttp
from hub.forges.reading import member
from hub.log.base import Log, LogUnavailable
from hub.settings import Network

logger = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0  # GitHub changes it a few times a year, and says so some days before
RETRY_SECONDS = 60.0
MOST_NETWORKS = 1_000  # there are about six


class HookNetworks:
    """
    The list of one GitHub; close it when done.

    Attributes:
        networks: what it says; None while it has never been read.
    """

    def __init__(self, api_url: str, log: Log) -> None:
        """
        Args:
            api_url: without a slash at its end.
            log: remembers the list, so that a hub that starts has it at once.
        """
        self.networks: Sequence[Network] | None = None
        self._place = f"hook-networks:{api_url}"
        self._http = ForgeHttp(api_url, lambda: HEADERS)
        self._log = log
        self._failing = False

    async def load(self) -> None:
        """Take over what was read last, as far as the log can be asked."""
        try:
            noted = await self._log.noted(self._place)
        except LogUnavailable as error:
            logger.warning("the list of senders not read", extra={"reason": str(error)})
        else:
            self.networks = _networks(member(noted, "networks")) or self.networks

    async def run(self) -> None:
        """Read it now and every hour, until cancelled."""
        while True:
            was_read = await self._read_whatever_comes()
            await asyncio.sleep(EVERY_SECONDS if was_read else RETRY_SECONDS)

    async def _read_whatever_comes(self) -> bool:
        try:
            return await self.read()
        except Exception:  # a mistake must not end the hub
            logger.exception("the list of senders not read")
            return False

    async def read(self) -> bool:
        """Read it, and remember it; whether there was one to read."""
        try:
            reply = await self._http.get("/meta")
        except ForgeError as error:
            return self._failed(str(error), error.next_step)
        networks = _networks(member(reply.document, "hooks"))
        if not networks:
            return self._failed("it names no networks", "see that api_url is GitHub's")
        self._failing = False
        if networks != self.networks:
            self.networks = networks
            await self._note(networks)
        return True

    def _failed(self, reason: str, step: str) -> bool:
        # What was read before still counts. Said once, and not every minute.
        if not self._failing:
            keys = {"reason": reason, "next": step}
            logger.warning("the list of senders not read", extra=keys)
        self._failing = True
        return False

    async def _note(self, networks: Sequence[Network]) -> None:
        try:
            await self._log.note(self._place, {"networks": [str(one) for one in networks]})
        except LogUnavailable as error:
            logger.warning("the list of senders not noted", extra={"reason": str(error)})

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()


def _networks(listed: Any) -> tuple[Network, ...]:
    """Those networks of a list that are some, at most MOST_NETWORKS; empty when it is no list."""
    if not isinstance(listed, list):
        return ()
    found = (_network(one) for one in listed[:MOST_NETWORKS])
    return tuple(one for one in found if one is not None)


def _network(text: Any) -> Network | None:
    try:
        return ip_network(text, strict=False) if isinstance(text, str) else None
    except ValueError:
        return None
