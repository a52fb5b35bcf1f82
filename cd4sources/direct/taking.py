"""Versions taken from the store in this process, as a client downloads them from a server."""

import asyncio
import errno
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cd4sources.delivery.installed import Installed
from cd4sources.delivery.judging import Judge
from cd4sources.delivery.records import Delivered, Record
from cd4sources.disk import FULL
from cd4sources.following import Follower
from cd4sources.http_errors import HttpError
from cd4sources.keeping.copying import copy_artifact
from cd4sources.keeping.store import Store
from cd4sources.undisturbed import in_thread

_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP})
"""What a link to a file on another file system ends with, or where there are no links."""


class NotHere(HttpError):
    """A version cannot be taken; the message says why."""


class LocalDownloads:
    """
    Brings versions from the store to where they run: by a link, because both are on one disk.

    Args:
        follower: The worker that made them.
        store: Where it keeps them.
        installed: Where they go.
        judge: Who reports it.
        origin: Names the repositories of the target.
    """

    def __init__(
        self, follower: Follower, store: Store, installed: Installed, judge: Judge, origin: str
    ) -> None:
        """Take nothing yet."""
        self._follower = follower
        self._store = store
        self._installed = installed
        self._judge = judge
        self.check: Callable[[Record], None] = _refusing(origin)

    async def has(self, record: Delivered) -> bool:
        """Tell whether a version is here whole."""
        return await asyncio.to_thread(self._installed.path, record) is not None

    async def get(self, record: Delivered) -> Path:
        """
        Return a version's executable, taken from the store unless it is here whole.

        Raises:
            HttpError: It is of other repositories, not kept any more, or damaged.
            OSError: The disk does not take it.
        """
        started_at = datetime.now(UTC)
        self._judge.begins(record, "downloaded")
        try:
            self.check(record)
            path = await asyncio.to_thread(self._installed.path, record)
            path = path or await self._take(record)
        except (HttpError, OSError) as error:
            told = self._installed.told(error)
            self._judge.report(record, "downloaded", "failed", started_at, told)
            raise
        self._judge.report(record, "downloaded", "ok", started_at)
        return path

    async def _take(self, record: Delivered) -> Path:
        kept = await asyncio.to_thread(self._store.get, record.target, record.version)
        if kept is None:
            raise NotHere(f"{record.version} is not kept any more; next: push another commit")
        part = await asyncio.to_thread(self._installed.incoming, record)
        try:
            await in_thread(_bring, self._store.artifact(kept), part)
            await in_thread(self._installed.install, record, part)
        except OSError as error:
            if error.errno in FULL:  # the program needs what room is left
                self._installed.give_up(record)
            raise
        path = await asyncio.to_thread(self._installed.path, record)
        if path is None:
            self._follower.rebuild()
            raise NotHere(f"{record.version} is damaged on disk; next: nothing, it is built again")
        return path


def _refusing(origin: str) -> Callable[[Record], None]:
    def check(record: Record) -> None:
        theirs = record.server if isinstance(record, Delivered) else ""
        if theirs != origin:
            raise NotHere(f"{record.version} was made of other repositories ({theirs}); not run")

    return check


def _bring(source: Path, part: Path) -> None:
    """Give the same file a second name; where that cannot be, copy it."""
    part.unlink(missing_ok=True)
    try:
        part.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        copy_artifact(source, part)
