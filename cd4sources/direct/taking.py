"""Versions taken from the store in this process, as a client downloads them from a server."""

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path

from cd4sources.delivery.installed import Installed
from cd4sources.delivery.judging import Judge
from cd4sources.delivery.obtaining import Obtaining
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


class LocalDownloads(Obtaining):
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
        super().__init__(installed, judge, _refusing(origin))
        self._follower = follower
        self._store = store

    async def _bring(self, record: Delivered) -> Path:
        kept = await asyncio.to_thread(self._store.get, record.target, record.version)
        if kept is None:
            raise NotHere(f"{record.version} is not kept any more; next: push another commit")
        part = await asyncio.to_thread(self._installed.incoming, record)
        try:
            await in_thread(_second_name, self._store.artifact(kept), part)
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


def _second_name(source: Path, part: Path) -> None:
    """Give the same file a second name; where that cannot be, copy it."""
    part.unlink(missing_ok=True)
    try:
        part.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        copy_artifact(source, part)
