"""
Version ids, and the store of built versions on disk.

    <data>/versions/<target>/<version>/{<artifact>, record.json, build.log}
    <data>/versions/<target>/current -> <version>
    <data>/versions/<target>/.new-<random>      being written or removed; a crash may leave it

A version appears by one rename and `current` changes by one rename: a reader, or a later life of
the server, sees the old state or the new one. There is no other state than this directory.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from cd4sources.disk import remove

VERSION = re.compile(r"v-[0-9a-f]{12}")
_RECORD = "record.json"
_LOG = "build.log"
_NEW = ".new-"
_CHUNK_BYTES = 1024 * 1024


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class LockedRepository(_Value):
    """A repository of a lockset: which commit its ref named."""

    url: str
    ref: str
    commit: str


class Artifact(_Value):
    """The file that a client downloads."""

    name: str
    size: int
    sha256: str
    url: str


class Record(_Value):
    """What is known of a published version; as JSON, the answer of /watch."""

    version: str
    target: str
    repositories: tuple[LockedRepository, ...]
    artifact: Artifact
    built_at: AwareDatetime
    traceparent: str | None

    @property
    def lockset(self) -> tuple[str, ...]:
        """The commits it was made of."""
        return tuple(one.commit for one in self.repositories)


@dataclass(frozen=True, kw_only=True)
class Built:
    """A version that was built and is to be published."""

    version: str
    target: str
    repositories: tuple[LockedRepository, ...]
    name: str
    path: Path
    url: str
    log: Path
    traceparent: str | None


def version_id(lockset: Sequence[Sequence[str]], recipe_fingerprint: str, toolchain: str) -> str:
    """
    The id of what these inputs give; on every server the same.

    Args:
        lockset: Of each repository its identity, ref, commit and what it replaces.
        recipe_fingerprint: How it is built.
        toolchain: With which tools.
    """
    inputs = [[list(one) for one in lockset], recipe_fingerprint, toolchain]
    return "v-" + hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:12]


class Store:
    """The versions of all targets on disk. Its methods block: call them in a thread."""

    def __init__(self, data: Path, *, keep_versions: int) -> None:
        """
        Open the store; what a crash left half written is removed.

        Args:
            data: The server's data directory.
            keep_versions: Versions kept per target, at least 1.
        """
        self._root = data / "versions"
        self._keep_versions = keep_versions
        for leftover in self._root.glob(f"*/{_NEW}*"):
            remove(leftover)

    def publish(self, built: Built) -> Record:
        """
        Copy a version in, make it the current one, and remove the oldest.

        Args:
            built: What to publish; its files are copied and may go away afterwards.

        Raises:
            OSError: The disk does not take it; the current version stays.
        """
        directory = self._root / built.target
        directory.mkdir(parents=True, exist_ok=True)
        fresh = directory / f"{_NEW}{secrets.token_hex(6)}"
        fresh.mkdir()
        try:
            record = _fill(fresh, built)
            self._place(fresh, directory / built.version)
        finally:
            remove(fresh)
        self.make_current(built.target, built.version)
        self._retire(built.target)
        return record

    def make_current(self, target: str, version: str) -> None:
        """Point `current` at a version that is there."""
        directory = self._root / target
        if self._current_name(target) == version:
            return
        link = directory / f"{_NEW}{secrets.token_hex(6)}"
        link.symlink_to(version)
        try:
            link.replace(directory / "current")
        finally:
            remove(link)  # the disk did not take it
        _sync(directory)

    def current(self, target: str) -> Record | None:
        """The version that is offered, if any was ever published."""
        return self.get(target, self._current_name(target))

    def get(self, target: str, version: str) -> Record | None:
        """The record of a version that is there whole."""
        if not VERSION.fullmatch(version):
            return None
        with contextlib.suppress(OSError, ValidationError):
            path = self._root / target / version / _RECORD
            record = Record.model_validate_json(path.read_bytes())
            if self.artifact(record).stat().st_size == record.artifact.size:
                return record
        return None

    def list(self, target: str) -> "list[Record]":
        """All versions, newest first."""
        names = [path.name for path in (self._root / target).glob("v-*")]
        records = [record for name in names if (record := self.get(target, name))]
        return sorted(records, key=lambda record: record.built_at, reverse=True)

    def artifact(self, record: Record) -> Path:
        """Where a version's file is."""
        return self._root / record.target / record.version / record.artifact.name

    def _current_name(self, target: str) -> str:
        try:
            return str((self._root / target / "current").readlink())
        except OSError:
            return ""

    def _place(self, fresh: Path, final: Path) -> None:
        """Rename into place; a damaged version of the same id makes room first."""
        if final.exists():
            final.rename(final.with_name(f"{_NEW}{secrets.token_hex(6)}"))
        fresh.rename(final)
        _sync(final.parent)

    def _retire(self, target: str) -> None:
        """Remove what is damaged, the oldest beyond what is kept, and what is only a leftover."""
        current = self._current_name(target)
        others = [record.version for record in self.list(target) if record.version != current]
        kept = {current, *others[: self._keep_versions - 1]}
        directory = self._root / target
        for version in directory.glob("v-*"):
            if version.name not in kept:
                version.rename(directory / f"{_NEW}{version.name}")
        for leftover in directory.glob(f"{_NEW}*"):
            remove(leftover)


def _fill(fresh: Path, built: Built) -> Record:
    """Write a version's files and make them last."""
    size, sha256 = _copy(built.path, fresh / built.name)
    record = Record(
        version=built.version,
        target=built.target,
        repositories=built.repositories,
        artifact=Artifact(name=built.name, size=size, sha256=sha256, url=built.url),
        built_at=datetime.now(UTC),
        traceparent=built.traceparent,
    )
    if built.log.exists():
        shutil.copyfile(built.log, fresh / _LOG)
    (fresh / _RECORD).write_text(record.model_dump_json(), encoding="utf-8")
    _sync(fresh / _RECORD)
    _sync(fresh)
    return record


def _copy(source: Path, destination: Path) -> tuple[int, str]:
    """Copy a file, executable and on disk for good; its size and digest."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, destination.open("xb") as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            digest.update(chunk)
            writer.write(chunk)
        size = writer.tell()
        writer.flush()
        os.fsync(writer.fileno())
    destination.chmod(0o755)
    return size, digest.hexdigest()


def _sync(path: Path) -> None:
    """Flush a file, or a directory's entries, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
