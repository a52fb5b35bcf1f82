"""
What builds leave for the next one, and can be made again without it.

    <data>/trees/<target>/          build trees
    <data>/rooms/<target>/          HOME and the rest of what a build has of its own
    <data>/go/                      Go's downloads and objects, of all targets

A full disk costs them, but not those of a target at work: from its checkout until its artifact is
copied they are spared, and no target goes to work while some are being removed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

_SPARE = ("tmp", "go")  # of a room; its HOME stays


class Caches:
    """Knows which targets are at work; one for all of a server."""

    def __init__(self, data: Path) -> None:
        """
        Nobody is at work yet.

        Args:
            data: The server's data directory.
        """
        self._data = data
        self._at_work: set[str] = set()
        self._removing = asyncio.Lock()

    async def take(self, target: str) -> None:
        """Spare what a target has, until it is given back."""
        async with self._removing:
            self._at_work.add(target)

    def give_back(self, target: str) -> None:
        """The target needs it no longer; also when it had taken nothing."""
        self._at_work.discard(target)

    @asynccontextmanager
    async def idle(self) -> AsyncIterator[list[Path]]:
        """All that no target at work has, there or not; no target goes to work meanwhile."""
        async with self._removing:
            yield await asyncio.to_thread(lambda: list(self._idle()))

    def _idle(self) -> Iterator[Path]:
        if not self._at_work:
            yield self._data / "go"
        for room in (self._data / "rooms").glob("*"):
            if room.name not in self._at_work:
                yield from (room / name for name in _SPARE)
        for tree in (self._data / "trees").glob("*"):
            if tree.name not in self._at_work:
                yield tree
