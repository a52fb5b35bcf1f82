"""
The store of built versions on disk.

    <data>/versions/<target>/<version>/{<artifact>, record.json, build.log}
    <data>/versions/<target>/current -> <version>    what is offered
    <data>/versions/<target>/newest -> <version>     what the sources give; the same, unless pinned
    <data>/versions/<target>/pinned -> <version>     what stays current until it is unpinned
    <data>/versions/<target>/history                 what was offered, in this order
    <data>/versions/<target>/.new-<random>           being written or removed; a crash may leave it

A version appears by one rename and each link changes by one rename: a reader, or a later life of
the server, sees the old state or the new one. There is no other state than this directory: when
`current` became what it is stands in its modification time. Times are for people: a clock that was
ahead and is put right changes no order here.
"""

import contextlib
import os
import shutil
import stat
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from cd4sources.disk import NEW, new_name, point, pointed, put, remove, sync
from cd4sources.keeping import history
from cd4sources.keeping.copying import copy_artifact
from cd4sources.keeping.retention import NEEDED_SECONDS, RUNNING_SECONDS, Seen, kept
from cd4sources.keeping.versions import VERSION, Artifact, Built, Record

_RECORD = "record.json"
_LOG = "build.log"
_CURRENT = "current"
_NEWEST = "newest"
_PINNED = "pinned"


class UnknownVersion(Exception):
    """There is no such version here (any more)."""


class Store:
    """The versions of all targets on disk. Its methods block, but for `noted`: use a thread."""

    def __init__(self, data: Path, *, keep_versions: int, keep_bytes: int = 0) -> None:
        """
        Open the store; what a crash left half written is removed.

        Args:
            data: The server's data directory.
            keep_versions: Versions kept per target, at least 1.
            keep_bytes: Bytes of artifacts kept per target; 0: any number.
        """
        self._root = data / "versions"
        self._keep_versions = keep_versions
        self._keep_bytes = keep_bytes
        self._links = threading.Lock()  # pinning and publishing, each as a whole
        self._seen: dict[str, Seen] = {}
        for leftover in self._root.glob(f"*/{NEW}*"):
            remove(leftover)

    def publish(self, built: Built) -> Record:
        """
        Copy a version in, offer it unless another one is pinned, and remove the oldest.

        Args:
            built: What to publish; its files are copied and may go away afterwards.

        Raises:
            OSError: The disk does not take it; the current version stays.
        """
        directory = self._root / built.target
        directory.mkdir(parents=True, exist_ok=True)
        fresh = directory / new_name()
        fresh.mkdir()
        try:
            record = _fill(fresh, built, self._moment(built.target))
            put(fresh, directory / built.version)
            sync(directory)
        finally:
            remove(fresh)
        self._runs(built.target).add(built.version)
        self.offer(built.target, built.version)
        return self._dated(record)

    def offer(self, target: str, version: str) -> None:
        """
        Make a version that is there the newest, and current unless another one is pinned.

        What is too old goes. The newest is named last: until then all of this is still to be done.
        """
        with self._links:
            self._make_current(target, self.pinned(target) or version)
            self._retire(target, version)
            self._point(target, _NEWEST, version)

    def is_offered(self, target: str, version: str) -> bool:
        """Tell whether there is nothing left to do for a version that the sources give."""
        newest, current = (self._pointed(target, name) for name in (_NEWEST, _CURRENT))
        return newest == version and current == (self.pinned(target) or version)

    def pin(self, target: str, version: str) -> Record:
        """
        Make a version current, and keep it so.

        Raises:
            UnknownVersion: It is not here.
        """
        with self._links:
            record = self.get(target, version)
            if record is None:
                raise UnknownVersion(f"{version} of {target} is not kept here (any more)")
            history.keep(self._root / target, history.gone_back(self._offered(target), version))
            self._point(target, _PINNED, version)
            self._point(target, _CURRENT, version)
        return self._dated(record)

    def unpin(self, target: str) -> Record | None:
        """Make the newest version current again; return what is current then."""
        with self._links:
            newest = self._pointed(target, _NEWEST)
            if self.get(target, newest):
                self._make_current(target, newest)
            # Last: a disk that refuses the rest leaves a pin, and not an old version for good.
            (self._root / target / _PINNED).unlink(missing_ok=True)
            sync(self._root / target)
        return self.current(target)

    def pinned(self, target: str) -> str:
        """The version that is pinned, empty for none."""
        return self._pointed(target, _PINNED)

    def previous(self, target: str, fits: Callable[[Record], bool] = bool) -> Record | None:
        """
        The version that was offered before the one that is, but for those left by a pin.

        Args:
            target: Whose.
            fits: Which ones will do. Default: any.
        """
        earlier = history.before(self._offered(target), self._pointed(target, _CURRENT))
        found = (self.get(target, version) for version in reversed(earlier))
        return next((one for one in found if one and fits(one)), None)

    def current(self, target: str) -> Record | None:
        """The version that is offered, if any was ever published."""
        return self.get(target, self._pointed(target, _CURRENT))

    def newest(self, target: str) -> Record | None:
        """The version that the sources gave last, current or not."""
        return self.get(target, self._pointed(target, _NEWEST))

    def get(self, target: str, version: str) -> Record | None:
        """The record of a version that is there whole."""
        if not VERSION.fullmatch(version):
            return None
        with contextlib.suppress(OSError, ValidationError):
            path = self._root / target / version / _RECORD
            record = Record.model_validate_json(path.read_bytes())
            found = self.artifact(record).lstat()
            if stat.S_ISREG(found.st_mode) and found.st_size == record.artifact.size:
                return self._dated(record)
        return None

    def list(self, target: str) -> "list[Record]":
        """All versions, newest first."""
        names = [path.name for path in (self._root / target).glob("v-*")]
        records = [record for name in names if (record := self.get(target, name))]
        return sorted(records, key=lambda record: record.built_at, reverse=True)

    def artifact(self, record: Record) -> Path:
        """Where a version's file is."""
        return self._root / record.target / record.version / record.artifact.name

    def noted(self, target: str, version: str) -> None:
        """Remember that somebody runs a version; costs next to nothing."""
        self._runs(target).noted(version)

    def running(self, target: str) -> frozenset[str]:
        """The versions that clients run now, as far as they have said."""
        return self._runs(target).lately(RUNNING_SECONDS)

    def expendable(self, newest: int) -> Sequence[Record]:
        """All versions that nobody needs, but for the latest few of each target; oldest first."""
        found = [
            record
            for directory in self._root.glob("*")
            for record in self._latest_first(directory.name)[newest:]
            if record.version not in self._needed(directory.name)
        ]
        return sorted(found, key=lambda record: record.built_at)

    def remove(self, record: Record) -> None:
        """Remove a version, unless somebody needs it by now."""
        with self._links:
            if record.version not in self._needed(record.target):
                self._discard(self._root / record.target / record.version)

    def _runs(self, target: str) -> Seen:
        if target not in self._seen:
            self._seen[target] = Seen(path.name for path in (self._root / target).glob("v-*"))
        return self._seen[target]

    def _needed(self, target: str, newest: str = "") -> frozenset[str]:
        links = [self._pointed(target, name) for name in (_CURRENT, _PINNED)]
        links.append(newest or self._pointed(target, _NEWEST))
        return self._runs(target).lately(NEEDED_SECONDS).union(links)

    def _dated(self, record: Record) -> Record:
        """With the moment at which it became current, if it is."""
        if self._pointed(record.target, _CURRENT) != record.version:
            return record
        changed = os.lstat(self._root / record.target / _CURRENT).st_mtime
        return record.model_copy(update={"published_at": datetime.fromtimestamp(changed, UTC)})

    def _offered(self, target: str) -> Sequence[str]:
        """What was offered, in this order; where nobody wrote that down, as it was built."""
        return history.read(self._root / target) or [one.version for one in self.list(target)[::-1]]

    def _latest_first(self, target: str) -> Sequence[Record]:
        """All versions: what was offered last comes first, what never was comes last."""
        place = {version: number for number, version in enumerate(self._offered(target))}
        records = self.list(target)
        return sorted(records, key=lambda record: place.get(record.version, -1), reverse=True)

    def _moment(self, target: str) -> datetime:
        """Now, or just after the newest version was built by a clock that was ahead."""
        newest = [record.built_at + timedelta(milliseconds=1) for record in self.list(target)[:1]]
        return max([datetime.now(UTC), *newest])

    def _make_current(self, target: str, version: str) -> None:
        """The order is written first: a crash between the two leaves nothing out of it."""
        if self._pointed(target, _CURRENT) != version:
            history.keep(self._root / target, history.offered(self._offered(target), version))
            self._point(target, _CURRENT, version)

    def _point(self, target: str, name: str, version: str) -> None:
        if self._pointed(target, name) != version:
            point(self._root / target / name, version)
        else:
            sync(self._root / target)  # the disk may have refused that when the link was made

    def _pointed(self, target: str, name: str) -> str:
        return pointed(self._root / target / name)

    def _retire(self, target: str, newest: str) -> None:
        """Remove what is damaged, the oldest beyond what is kept, and what is only a leftover."""
        staying = kept(
            self._latest_first(target),
            self._needed(target, newest),
            keep_versions=self._keep_versions,
            keep_bytes=self._keep_bytes,
        )
        directory = self._root / target
        for version in directory.glob("v-*"):
            if version.name not in staying:
                self._discard(version)
        for leftover in directory.glob(f"{NEW}*"):
            remove(leftover)

    def _discard(self, version: Path) -> None:
        """Remove a version so that it is there whole, or not at all."""
        leaving = version.rename(version.with_name(f"{NEW}{version.name}"))
        self._runs(version.parent.name).forget(version.name)
        remove(leaving)


def _fill(fresh: Path, built: Built, built_at: datetime) -> Record:
    """Write a version's files and make them last."""
    size, sha256 = copy_artifact(built.path, fresh / built.name)
    record = Record(
        version=built.version,
        target=built.target,
        repositories=built.repositories,
        artifact=Artifact(name=built.name, size=size, sha256=sha256, url=built.url),
        built_at=built_at,
        traceparent=built.traceparent,
    )
    if built.log.exists():
        shutil.copyfile(built.log, fresh / _LOG)
    text = record.model_dump_json(exclude={"published_at"})
    (fresh / _RECORD).write_text(text, encoding="utf-8")
    sync(fresh / _RECORD)
    sync(fresh)
    return record
