"""
The client's versions on disk.

    lock                      held while a client uses the directory
    versions/<version>/       the artifact under its own name, and .record.json about it
    current -> versions/…     the last version that was healthy
    quarantine/<version>      why this version is not to be started again
    incoming/                 downloads under way

Every step ends in one rename, so whatever is found after a crash is whole or ignored.
"""

import hashlib
import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from cd4sources.locking import locked, unusable

MAX_ARTIFACT_BYTES = 4 * 1024**3
"""A promise of more is taken for a mistake of the server."""

KEPT_VERSIONS = 3
"""The current one, the one before it, and one more to compare with."""

RECORD_NAME = ".record.json"

logger = logging.getLogger(__name__)


class Artifact(BaseModel):
    """The file of a version. The name becomes a file's name here, so it may not leave its place."""

    name: str = Field(pattern=r"^[^/\x00.][^/\x00]{0,199}$")
    size: int = Field(ge=0, le=MAX_ARTIFACT_BYTES)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    url: str


class Record(BaseModel):
    """What a server tells about a version, as far as a client needs it."""

    version: str = Field(pattern=r"^v-[0-9a-f]{12}$")
    target: str = ""
    artifact: Artifact
    traceparent: str | None = None


class Installed:
    """
    The versions in one data directory.

    Args:
        data: The directory; made when missing.
    """

    def __init__(self, data: Path) -> None:
        """Look at nothing yet."""
        self._data = data
        self._versions = data / "versions"
        self._quarantine = data / "quarantine"
        self._incoming = data / "incoming"

    @contextmanager
    def opened(self) -> Iterator[None]:
        """
        Hold the directory for this client alone, and clear away what a crash left half done.

        Raises:
            DataInUse: Another process holds it.
            DataUnusable: It cannot be made or written.
        """
        with locked(self._data):
            shutil.rmtree(self._incoming, ignore_errors=True)
            self._make_directories()
            for left in self._quarantine.glob(".*.tmp"):
                left.unlink()
            yield

    def _make_directories(self) -> None:
        try:
            for directory in (self._versions, self._quarantine, self._incoming):
                directory.mkdir(exist_ok=True)
        except OSError as error:
            raise unusable(self._data, error) from error

    def incoming(self) -> Path:
        """Return a new empty directory to download into."""
        directory = self._incoming / secrets.token_hex(8)
        directory.mkdir()
        return directory

    def install(self, record: Record, incoming: Path) -> Path:
        """
        Make a download a version: only now, verified and on disk, may it be executed.

        Args:
            record: What was downloaded.
            incoming: The directory that holds the artifact under its name.

        Returns:
            The executable.
        """
        (incoming / record.artifact.name).chmod(0o755)
        _write(incoming / RECORD_NAME, record.model_dump_json())
        _sync(incoming)
        place = self._versions / record.version
        shutil.rmtree(place, ignore_errors=True)
        incoming.rename(place)
        _sync(self._versions)
        return place / record.artifact.name

    def path(self, record: Record) -> Path | None:
        """Return the version's executable if it is here and its bytes are the promised ones."""
        path = self._versions / record.version / record.artifact.name
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return None
        if digest == record.artifact.sha256:
            return path
        logger.warning("version on disk is damaged", extra={"version": record.version})
        return None

    def current(self) -> Record | None:
        """Return the last version that was healthy, None when there is none."""
        try:
            return Record.model_validate_json((self._data / "current" / RECORD_NAME).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValidationError:
            logger.exception("record of the current version is damaged, ignoring it")
            return None

    def set_current(self, version: str) -> None:
        """Remember a version as the last healthy one, and drop versions that are too old."""
        link = self._incoming / secrets.token_hex(8)  # cleared away when it is left there
        link.symlink_to(Path("versions") / version)
        try:
            link.rename(self._data / "current")
        finally:
            link.unlink(missing_ok=True)
        _sync(self._data)
        os.utime(self._versions / version)
        self._prune(version)

    def quarantine(self, version: str, reason: str) -> None:
        """Remember that a version must not be started again by itself, and why."""
        _write(self._quarantine / version, reason)
        _sync(self._quarantine)

    def quarantined(self, version: str) -> str | None:
        """Return why a version must not be started, None when it may."""
        try:
            return (self._quarantine / version).read_text(errors="replace")
        except FileNotFoundError:
            return None

    def _prune(self, current: str) -> None:
        newest_first = sorted(
            (place for place in self._versions.iterdir() if place.name != current),
            key=lambda place: place.stat().st_mtime_ns,
            reverse=True,
        )
        for place in newest_first[KEPT_VERSIONS - 1 :]:
            gone = self._incoming / secrets.token_hex(8)  # half a version must not count as one
            place.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    """Replace a file in one step."""
    temporary = path.with_name(f".{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    """Bring renames in a directory to disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
