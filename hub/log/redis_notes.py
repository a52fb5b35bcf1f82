"""
Notes in Redis, shared by every hub on the log.

    notes       hash: name → JSON object
"""

from typing import Any

from hub.log import notes
from hub.log.readable import readable
from hub.log.redis_node import RedisNode
from hub.log.redis_scanning import scanned


class RedisNotes:
    """The `NoteStore` protocol over one Redis; every method raises LogUnavailable."""

    def __init__(self, node: RedisNode) -> None:
        self._node = node
        self._notes = node.keys("notes")

    async def note(self, name: str, value: dict[str, Any] | None) -> None:
        """Remember something small under a name, replacing what was there; None forgets it."""
        if value is None:
            await self._node.execute("HDEL", self._notes, name)
        else:
            await self._node.execute("HSET", self._notes, name, notes.written(value))

    async def noted(self, name: str) -> dict[str, Any] | None:
        """What is noted under a name."""
        stored = await self._node.execute("HGET", self._notes, name)
        return next(iter(readable(notes.read, [] if stored is None else [stored])), None)

    async def notes(self, prefix: str) -> dict[str, dict[str, Any]]:
        """What is noted under names that begin so, by name; the names are in order."""
        found: dict[bytes, bytes] = {}
        async for page in scanned(self._node, self._notes, prefix):
            found.update(page)
        pairs = sorted(found.items())
        return dict(readable(lambda pair: (pair[0].decode(), notes.read(pair[1])), pairs))
