"""How much a server does at once: beyond that, targets take turns."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

FETCHES_AT_ONCE = 16
"""Of one host: a server with a thousand targets must not ask its forge a thousand things at once
when it starts, and a host that hangs must not keep the others waiting."""


class Lanes:
    """
    Turns at fetching and building.

    Attributes:
        running: How many builds are under way.
        queued: How many wait for their turn.
    """

    def __init__(self, builds: int) -> None:
        """
        Begin with nothing under way.

        Args:
            builds: How many run at once, at least 1.
        """
        self.running = self.queued = 0
        self._building = asyncio.Semaphore(builds)
        self._fetching: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(FETCHES_AT_ONCE)
        )

    @property
    def are_full(self) -> bool:
        """Whether the next build has to wait for its turn."""
        return self._building.locked()

    @asynccontextmanager
    async def building(self) -> AsyncIterator[None]:
        """A turn at building."""
        self.queued += 1
        try:
            await self._building.acquire()
        finally:
            self.queued -= 1
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._building.release()

    def fetching(self, host: str) -> AbstractAsyncContextManager[None]:
        """A turn at asking a host."""
        return self._fetching[host]
