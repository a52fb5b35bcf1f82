"""
The client's versions on disk.

    lock                      held while a client uses the directory
    versions/<version>/       the artifact under its own name, and .record.json about it
    current -> versions/…     the last version that was healthy
    quarantine/<version>      why this version is not to be started again
    incoming/<sha256>.part    the download under way; a later life of the client goes on with it

Every step ends in one rename, so whatever is found after a crash is whole or ignored.
"""

import contextlib
import errno
import hashlib
import logging
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from cd4sources.delivery.records import Delivered, Record
from cd4sources.disk import FULL, fullness, plainly, put, remove, sync, write
from cd4sources.locking import locked, unusable

RECORD_NAME = ".record.json"

SPARE_BYTES = 1024**2
"""Left free beside a download: the running program writes to this disk, too."""

_NO_FILE = frozenset({errno.ELOOP, errno.EISDIR, errno.ENXIO})
"""What opening a loop of links, a directory, a socket ends with."""

logger = logging.getLogger(__name__)


class Installed:
    """
    The versions in one data directory.

    Args:
        data: The directory; made when missing.
        keep_versions: How many stay, the current one included.
    """

    def __init__(self, data: Path, *, keep_versions: int) -> None:
        """Look at nothing yet."""
        self._data = data
        self._keep_versions = keep_versions
        self._versions = data / "versions"
        self._quarantine = data / "quarantine"
        self._incoming = data / "incoming"
        self._unwritten: dict[str, str] = {}

    @contextmanager
    def opened(self) -> Iterator[None]:
        """
        Hold the directory for this client alone, and clear away what a crash left half done.

        Raises:
            DataInUse: Another process holds it.
            DataUnusable: It cannot be made or written.
        """
        with locked(self._data):
            self._make_directories()
            parts = sorted(self._incoming.glob("*.part"), key=lambda part: part.lstat().st_mtime_ns)
            self._clear_incoming(parts[-1] if parts else None)
            for pattern in ("quarantine/.new-*", "versions/*/.new-*"):
                for left in self._data.glob(pattern):
                    left.unlink()
            yield

    def _make_directories(self) -> None:
        try:
            for directory in (self._versions, self._quarantine, self._incoming):
                directory.mkdir(exist_ok=True)
        except OSError as error:
            raise unusable(self._data, error) from error

    def incoming(self, record: Record) -> Path:
        """
        Return the file to download into; of a broken download it has the first bytes.

        Raises:
            OSError: The disk has no room for what is missing.
        """
        part = self._incoming / f"{record.artifact.sha256}.part"
        for directory in (self._versions, self._incoming):
            directory.mkdir(parents=True, exist_ok=True)  # somebody may have removed them
        self._clear_incoming(part)
        here = part.lstat().st_size if part.exists() else 0
        free = shutil.disk_usage(self._incoming).free
        wanted = record.artifact.size - here + SPARE_BYTES
        if free < wanted:
            raise OSError(
                f"{record.version} needs {wanted} bytes, {free} are free where {self._data} is; "
                "next: make room there; it goes on by itself then"
            )
        return part

    def told(self, error: Exception) -> str:
        """What a failure says; of a full disk also which one that is, and what to do."""
        if isinstance(error, OSError) and error.errno in FULL:
            return f"{fullness(self._data)}; next: make room there; it goes on by itself then"
        return str(error) or type(error).__name__

    def give_up(self, record: Record) -> None:
        """Drop what there is of a download, so that a full disk has room again."""
        remove(self._incoming / f"{record.artifact.sha256}.part")

    def install(self, record: Record, part: Path) -> Path:
        """
        Make a download a version: only now, verified and on disk, may it be executed.

        Args:
            record: What was downloaded.
            part: The file that holds the artifact, whole.

        Returns:
            The executable.
        """
        fresh = self._incoming / secrets.token_hex(8)
        fresh.mkdir()
        try:
            write(fresh / RECORD_NAME, self._with_its_past(record).model_dump_json(), synced=True)
            part.rename(fresh / record.artifact.name)
            (fresh / record.artifact.name).chmod(0o755)
            sync(fresh)
            place = self._versions / record.version
            put(fresh, place)
        finally:
            remove(fresh)
        sync(self._versions)
        return place / record.artifact.name

    def _with_its_past(self, record: Record) -> Record:
        """What is fetched again because its bytes were damaged has run here before all the same."""
        known = _read(self._versions / record.version)
        if known is None or known.artifact.sha256 != record.artifact.sha256:
            return record
        past = {"healthy_at": known.healthy_at, "steady": known.steady}
        return Delivered.model_validate({**dict(record), **past})

    def path(self, record: Record) -> Path | None:
        """Return the version's executable if it is here and its bytes are the promised ones."""
        path = self._versions / record.version / record.artifact.name
        try:
            with open(path, "rb", opener=plainly) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                logger.warning("version on disk cannot be read", extra={"reason": str(error)})
            return None
        if digest == record.artifact.sha256:
            return path
        logger.warning("version on disk is damaged", extra={"version": record.version})
        return None

    def current(self) -> Delivered | None:
        """Return the last version that was healthy, None when there is none."""
        return _read(self._data / "current")

    def before(self, version: str) -> Delivered | None:
        """Return the newest other version that was healthy here, is whole and may be started."""
        records = [_read(place) for place in self._versions.iterdir() if place.name != version]
        good = [(one.healthy_at, one) for one in records if one and one.healthy_at]
        good.sort(key=lambda pair: pair[0], reverse=True)
        allowed = (one for _, one in good if self.quarantined(one.version) is None)
        return next((one for one in allowed if self.path(one)), None)

    def set_current(self, record: Delivered) -> None:
        """Remember a version as the last healthy one, and drop versions that are too old."""
        place = self._versions / record.version
        known = _read(place)
        healthy = {"healthy_at": datetime.now(UTC), "steady": known is not None and known.steady}
        write(place / RECORD_NAME, record.model_copy(update=healthy).model_dump_json(), synced=True)
        link = self._incoming / secrets.token_hex(8)  # cleared away when it is left there
        link.symlink_to(Path("versions") / record.version)
        try:
            link.rename(self._data / "current")
        finally:
            link.unlink(missing_ok=True)
        sync(self._data)
        os.utime(place)
        self._prune(record.version)
        self.write_verdicts()

    def set_steady(self, version: str) -> None:
        """Remember that a version has run here for long."""
        self.write_verdicts()
        place = self._versions / version
        known = _read(place)
        if known and not known.steady:
            steady = known.model_copy(update={"steady": True})
            write(place / RECORD_NAME, steady.model_dump_json(), synced=True)

    def quarantine(self, version: str, reason: str) -> None:
        """
        Remember that a version must not be started again by itself, and why; drop its file.

        Raises:
            OSError: It is remembered in this life only, until `write_verdicts` can.
        """
        self._unwritten[version] = reason
        with contextlib.suppress(OSError):
            self.write_verdicts()
        self._drop(self._versions / version)
        self.write_verdicts()  # now that there is room, if there was none

    def quarantined(self, version: str) -> str | None:
        """
        Return why a version must not be started, None when it may.

        Raises:
            OSError: That cannot be read, or what was not written yet still cannot be.
        """
        self.write_verdicts()
        try:
            reason = _content(self._quarantine / version)
        except FileNotFoundError:
            return None
        return "its reason cannot be read" if reason is None else reason.decode(errors="replace")

    def next_step(self, version: str) -> str:
        """What to do about a version that is quarantined."""
        verdict = self._quarantine / version
        return f"push another commit; or, if it was not to blame, remove {verdict}"

    @property
    def owes_verdicts(self) -> bool:
        """Whether the disk has not taken all verdicts yet: they hold in this life only."""
        return bool(self._unwritten)

    def write_verdicts(self) -> None:
        """Write down what is not yet. Raises OSError when the disk still does not take it."""
        for version, reason in [*self._unwritten.items()]:
            write(self._quarantine / version, reason, synced=True)
            sync(self._quarantine)
            del self._unwritten[version]

    def _clear_incoming(self, kept: Path | None) -> None:
        for other in self._incoming.iterdir():
            if other != kept or not other.is_file() or other.is_symlink():
                remove(other)

    def _prune(self, current: str) -> None:
        best_first = sorted(
            (place for place in self._versions.iterdir() if place.name != current),
            key=lambda place: (_was_healthy(place), place.lstat().st_mtime_ns),
            reverse=True,
        )
        for place in best_first[self._keep_versions - 1 :]:
            self._drop(place)

    def _drop(self, place: Path) -> None:
        """Remove a version so that half of it never counts as one."""
        gone = self._incoming / secrets.token_hex(8)
        try:
            place.rename(gone)
        except FileNotFoundError:
            return
        except OSError:  # a disk can be too full even for that
            gone = place
        remove(gone)


def _content(path: Path) -> bytes | None:
    """What is in a file; None when something is there that is none, and might block us."""
    try:
        with open(path, "rb", opener=plainly) as file:
            return file.read() if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
    except OSError as error:
        if error.errno in _NO_FILE:
            return None
        raise


def _was_healthy(place: Path) -> bool:
    known = _read(place)
    return known is not None and known.healthy_at is not None


def _read(place: Path) -> Delivered | None:
    """The record in a version's directory, None when there is none that can be read."""
    try:
        return Delivered.model_validate_json(_content(place / RECORD_NAME) or b"")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError:
        logger.exception("record of a version is damaged, ignoring it", extra={"place": str(place)})
        return None
