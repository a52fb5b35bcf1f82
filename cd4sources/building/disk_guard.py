"""
The disk guard: room before a build, and a second try after a full disk.

What goes first is what is missed least: old versions that nobody needs, old builds with their
logs, then caches, which only cost time. What is offered, pinned or running always stays.
"""

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from cd4sources.building import BuildFailed
from cd4sources.building.builds import Builds
from cd4sources.building.caches import Caches
from cd4sources.disk import FULL, MEBIBYTE, NO_SPACE, fullness, remove
from cd4sources.keeping.store import Store
from cd4sources.settings import ServerSettings
from cd4sources.undisturbed import in_thread

T = TypeVar("T")

NEWEST_KEPT = 2
"""Versions of each target that a full disk does not cost: the newest, and one to go back to."""

logger = logging.getLogger(__name__)


class DiskFull(OSError):
    """There is too little room, and nothing more that could be removed; heals with the disk."""


class DiskGuard:
    """Watches the disk that a data directory is on, for one target."""

    def __init__(
        self, target: str, settings: ServerSettings, store: Store, builds: Builds, caches: Caches
    ) -> None:
        """
        Watch a disk.

        Args:
            target: Whose builds need room.
            settings: The data directory, and what must be free there.
            store: Whose versions may go.
            builds: Whose logs may go.
            caches: Which may go, but for those of targets at work.
        """
        self._target = target
        self._data = settings.data
        self._min_free_bytes = settings.min_free_bytes
        self._store = store
        self._builds = builds
        self._caches = caches

    async def before_build(self) -> None:
        """
        See that there is room for a build that has not touched anything yet.

        Raises:
            DiskFull: There is too little, with everything removed that may be.
        """
        if await asyncio.to_thread(self._is_short):
            await self._free(self._wanted_bytes, with_tree=True)
        if await asyncio.to_thread(self._is_short):
            raise self._full()

    async def retried(self, work: Callable[[], Awaitable[T]], *own: Path) -> T:
        """
        Do something; when the disk is full, make room and do it once more.

        Args:
            work: What to do; it leaves nothing half done, but for what lies in `own`.
            own: Directories of this work alone, which can be made again.

        Raises:
            DiskFull: There was no room the second time either.
        """
        try:
            return await work()
        except Exception as error:
            if not self._blames(error):
                raise
            await self._make_room(own)
        try:
            return await work()
        except Exception as error:
            if not self._blames(error):
                raise
            await self._make_room(own)
            raise self._full() from error

    async def _make_room(self, own: Sequence[Path]) -> None:
        for directory in own:
            await in_thread(remove, directory)
        await self._free(shutil.disk_usage(self._data).total, with_tree=bool(own))

    def _blames(self, error: Exception) -> bool:
        """Whether a full disk is behind an error; not every tool says so."""
        return _is_full(error) or shutil.disk_usage(self._data).free < MEBIBYTE

    @property
    def _wanted_bytes(self) -> int:
        if self._min_free_bytes is not None:
            return self._min_free_bytes
        return min(512 * MEBIBYTE, shutil.disk_usage(self._data).total // 10)

    def _is_short(self) -> bool:
        return shutil.disk_usage(self._data).free < self._wanted_bytes

    async def _free(self, wanted_bytes: int, *, with_tree: bool) -> None:
        """Remove one thing after the other, until enough is free or nothing is left to remove."""
        async with self._caches.idle(self._target, with_tree=with_tree) as idle:
            await in_thread(self._remove, self._removals(idle), wanted_bytes)

    def _remove(self, removals: Iterator[Callable[[], None]], wanted_bytes: int) -> None:
        removed = 0
        for removal in removals:
            if shutil.disk_usage(self._data).free >= wanted_bytes:
                break
            # Another target may be making room, too; and some disks are too full for a rename.
            with contextlib.suppress(OSError):
                removal()
                removed += 1
        free = shutil.disk_usage(self._data).free // MEBIBYTE
        level = logging.WARNING if removed else logging.DEBUG
        logger.log(
            level, "disk full, room made", extra={"removed": removed, "free_mebibytes": free}
        )

    def _removals(self, caches: Sequence[Path]) -> Iterator[Callable[[], None]]:
        for record in self._store.expendable(NEWEST_KEPT):
            yield partial(self._store.remove, record)
        for path in filter(os.path.lexists, (*self._builds.expendable(), *caches)):
            yield partial(remove, path)

    def _full(self) -> DiskFull:
        return DiskFull(
            f"{fullness(self._data)}, and nothing more can be removed; next: free some, make it "
            f"larger, or lower keep_versions or min_free_bytes ({self._wanted_bytes}); it goes on "
            "by itself then"
        )


def _is_full(error: BaseException | None) -> bool:
    """Whether a full disk is behind an error, in whatever way it was told."""
    if error is None:
        return False
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    said = error.tail if isinstance(error, BuildFailed) else ""
    return NO_SPACE in f"{error}{said}" or _is_full(error.__cause__)
