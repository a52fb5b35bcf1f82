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
from collections.abc import Set as AbstractSet
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
    async def idle(self, mine: str, *, with_tree: bool) -> AsyncIterator[list[Path]]:
        """
        All that no target at work has, there or not; no target goes to work meanwhile.

        Args:
            mine: The target that makes room, and so uses nothing of it at the moment.
            with_tree: Its build trees may go, too: no artifact in them is still to be copied.
        """
        async with self._removing:
            others = self._at_work - {mine}
            kept = others if with_tree else self._at_work
            yield await asyncio.to_thread(lambda: [*self._spare(others), *self._trees(kept)])

    def _spare(self, others: AbstractSet[str]) -> Iterator[Path]:
        if not others:
            yield self._data / "go"
        for room in (self._data / "rooms").glob("*"):
            if room.name not in others:
                yield from (room / name for name in _SPARE)

    def _trees(self, kept: AbstractSet[str]) -> Iterator[Path]:
        return (one for one in (self._data / "trees").glob("*") if one.name not in kept)
