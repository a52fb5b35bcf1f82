"""
What was built, also what failed: one directory a build, kept on disk with its log.

    <data>/builds/<target>/<id>/{record.json, build.log}

An id is `b-` and the milliseconds at which the build began; never twice the same and never smaller
than an earlier one, also when the clock was set back. A record that says `running` while nobody
runs it is of a life that was killed: it is read as `interrupted`. Records are not synced: a power
cut may lose the last one, and nothing depends on it.
"""

import contextlib
import re
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from cd4sources import disk
from cd4sources.keeping.versions import LockedRepository

State = Literal["running", "ok", "failed", "cancelled", "interrupted"]

BUILD = re.compile(r"b-[0-9]{13}")
_RECORD = "record.json"
_LOG = "build.log"


class BuildRecord(BaseModel):
    """One build. `message` is shown to people and holds no secrets."""

    model_config = ConfigDict(frozen=True)

    id: str
    target: str
    version: str
    repositories: tuple[LockedRepository, ...]
    reason: str
    state: State
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    exit_code: int | None = None
    message: str = ""
    traceparent: str | None = None


class Builds:
    """The builds of all targets on disk. Its methods block, but for `is_running`: use a thread."""

    def __init__(self, data: Path, *, keep_builds: int) -> None:
        """
        Open what earlier lives left; what they left half written is removed.

        Args:
            data: The server's data directory.
            keep_builds: Builds kept per target, at least 1.
        """
        self._root = data / "builds"
        self._keep_builds = keep_builds
        self._running: set[str] = set()
        self._numbers = threading.Lock()
        for leftover in self._root.glob(f"*/*/{disk.NEW}*"):
            disk.remove(leftover)
        self._last = max((int(path.name[2:]) for path in self._all("*")), default=0)

    def begin(
        self,
        target: str,
        version: str,
        repositories: tuple[LockedRepository, ...],
        *,
        reason: str,
        traceparent: str | None,
    ) -> BuildRecord:
        """
        Note that a build begins, and remove the oldest of its target.

        Args:
            target: What is built.
            version: Which version it will be.
            repositories: Of which commits.
            reason: Why it is built now: `start`, `poll`, `push`, …
            traceparent: The trace that it belongs to.

        Raises:
            OSError: The disk does not take it.
        """
        record = BuildRecord(
            id=self._next(),
            target=target,
            version=version,
            repositories=repositories,
            reason=reason,
            state="running",
            started_at=datetime.now(UTC),
            traceparent=traceparent,
        )
        self._directory(record).mkdir(parents=True)
        self._write(record)
        self._running.add(record.id)
        for path in sorted(self._all(target), reverse=True)[self._keep_builds :]:
            disk.remove(path)
        return record

    def end(
        self, record: BuildRecord, state: State, *, exit_code: int | None = None, message: str = ""
    ) -> BuildRecord:
        """Note how a build ended; a disk that does not take it leaves `interrupted`."""
        ended = record.model_copy(
            update={
                "state": state,
                "ended_at": datetime.now(UTC),
                "exit_code": exit_code,
                "message": message,
            }
        )
        try:
            with contextlib.suppress(OSError):
                self._write(ended)
        finally:
            self._running.discard(record.id)
        return ended

    def get(self, build: str) -> BuildRecord | None:
        """One build; None when it is not kept (any more)."""
        if not BUILD.fullmatch(build):
            return None
        found = (self._read(path) for path in self._root.glob(f"*/{build}"))
        return next(found, None)

    def list(self, targets: Iterable[str], *, limit: int) -> "list[BuildRecord]":
        """The newest builds of some targets, newest first."""
        found = (path for target in targets for path in self._all(target))
        paths = sorted(found, key=lambda path: path.name, reverse=True)
        return [record for path in paths[:limit] if (record := self._read(path))]

    def log(self, record: BuildRecord) -> Path:
        """Where a build's log is."""
        return self._directory(record) / _LOG

    def read_log(self, record: BuildRecord, offset: int, most_bytes: int) -> bytes:
        """A piece of a build's log; empty at its end, and when there is none (yet)."""
        try:
            with self.log(record).open("rb") as file:
                file.seek(offset)
                return file.read(most_bytes)
        except FileNotFoundError:
            return b""

    def is_running(self, build: str) -> bool:
        """Tell whether a build runs now, in this life."""
        return build in self._running

    def expendable(self) -> Sequence[Path]:
        """The directories of all builds but the newest of each target; oldest first."""
        older = [
            path
            for directory in self._root.glob("*")
            for path in sorted(self._all(directory.name))[:-1]
        ]
        return sorted(older, key=lambda path: path.name)

    def _all(self, target: str) -> Iterator[Path]:
        return (path for path in self._root.glob(f"{target}/b-*") if BUILD.fullmatch(path.name))

    def _next(self) -> str:
        with self._numbers:
            self._last = max(time.time_ns() // 1_000_000, self._last + 1)
            return f"b-{self._last:013d}"

    def _directory(self, record: BuildRecord) -> Path:
        return self._root / record.target / record.id

    def _write(self, record: BuildRecord) -> None:
        disk.write(self._directory(record) / _RECORD, record.model_dump_json())

    def _read(self, directory: Path) -> BuildRecord | None:
        try:
            text = (directory / _RECORD).read_bytes()
            record = BuildRecord.model_validate_json(text)
        except (OSError, ValidationError):
            return None
        if record.state == "running" and record.id not in self._running:
            message = (
                "the server was killed, or its disk was full; what is not there yet is built again"
            )
            return record.model_copy(update={"state": "interrupted", "message": message})
        return record
