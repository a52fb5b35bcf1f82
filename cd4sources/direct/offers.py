"""What a worker in this process offers, watched as a client watches its servers."""

import asyncio

from cd4sources.delivery.records import Artifact, Delivered
from cd4sources.keeping.versions import Record
from cd4sources.offering import Offer
from cd4sources.waiting import Waiter

WATCH_SECONDS = 50.0
"""The longest wait for news: then whoever watches looks after what else there is to do."""


class LocalWatch:
    """
    The versions of one target, as its worker offers them.

    Args:
        offer: What the worker offers.
        origin: Names the repositories it is made of.
    """

    def __init__(self, offer: Offer, origin: str) -> None:
        """Begin as if nothing was known."""
        self._offer = offer
        self._origin = origin
        self._known = self._held = ""

    async def news(self, *, patient: bool, running: str = "") -> Delivered | None:
        """
        Return another version than the last one.

        Args:
            patient: Wait until there is one.
            running: The version that runs here, empty for none: it is kept.

        Returns:
            The version; None: nothing new (in time).
        """
        if running:
            self._offer.noted(running)
        if patient and self._new() is None:
            await self._wait()
        record = self._new()
        if record is None:
            return None
        self._known = record.version
        return self._delivered(record)

    def delivered(self, version: Delivered) -> None:
        """Note that a version is here."""
        self._held = version.version

    def failed(self, version: Delivered) -> None:  # noqa: ARG002 -- there is only one to be asked
        """Note that a version could not be had: it is news once more."""
        self._known = self._held

    def ask_anew(self) -> None:
        """Ask as if nothing was known."""
        self._known = self._held = ""

    def _new(self) -> Record | None:
        current = self._offer.current
        return current if current and current.version != self._known else None

    async def _wait(self) -> None:
        arrived = asyncio.Event()

        def answered() -> bool:
            arrived.set()
            return True

        waiter = Waiter(WATCH_SECONDS, answered)
        self._offer.watchers.add(waiter)
        try:
            await arrived.wait()
        finally:
            self._offer.watchers.remove(waiter)
            waiter.close()

    def _delivered(self, record: Record) -> Delivered:
        file = record.artifact
        return Delivered(
            version=record.version,
            target=record.target,
            artifact=Artifact(name=file.name, size=file.size, sha256=file.sha256, url=file.url),
            traceparent=record.traceparent,
            published_at=record.published_at,
            server=self._origin,
        )
