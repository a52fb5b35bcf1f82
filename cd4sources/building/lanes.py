"""How much a server does at once: beyond that, targets take turns."""

import asyncio
from collections import defaultdict
from contextlib import AbstractAsyncContextManager

FETCHES_AT_ONCE = 16
"""Of one host: a server with a thousand targets must not ask its forge a thousand things at once
when it starts, and a host that hangs must not keep the others waiting."""


class Lanes:
    """Turns at fetching and building."""

    def __init__(self, builds: int) -> None:
        """
        Begin with nothing under way.

        Args:
            builds: How many run at once, at least 1.
        """
        self._building = asyncio.Semaphore(builds)
        self._fetching: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(FETCHES_AT_ONCE)
        )

    @property
    def are_full(self) -> bool:
        """Whether the next build has to wait for its turn."""
        return self._building.locked()

    def building(self) -> AbstractAsyncContextManager[None]:
        """A turn at building."""
        return self._building

    def fetching(self, host: str) -> AbstractAsyncContextManager[None]:
        """A turn at asking a host."""
        return self._fetching[host]
