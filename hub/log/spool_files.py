"""
The spool's files: what was answered and is not in the log yet, in order, on this hub's own disk.

    <number of the first record>.spool   records, some 64 MiB of them
    spool.position                       how far they have been taken up; may be behind
    unreadable.spool-records             records that were taken up and could not be read

Numbers begin with the clock and go on by one, so that no file ever has the name of an earlier one,
and a position that outlived its file means nothing. Everything here blocks: one thread calls it.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from hub.log.base import LogUnavailable
from hub.log.probing import DELIVERY_BYTES, prove_room
from hub.log.spool_position import Place, forget, remember, remembered
from hub.log.spool_records import framed, is_torn, records

logger = logging.getLogger(__name__)

MIB = 1024 * 1024
LIMIT_BYTES = 1024 * MIB  # about 400,000 deliveries
SEGMENT_BYTES = 64 * MIB  # what has been taken up is removed in these pieces
BATCH_RECORDS = 256
BUFFER_BYTES = 256 * 1024  # of a file that is read
UNREADABLE = "unreadable.spool-records"

_SEGMENTS = "[0-9]" * 20 + ".spool"


class SpoolFull(LogUnavailable):
    """The spool has reached its limit; the disk may have room."""

    next_step = (
        "Redis is away and this hub's spool is full: bring Redis back, "
        "or raise hub.spool_limit_bytes"
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """Payloads of records that follow each other, the place behind them, how many more wait."""

    payloads: tuple[bytes, ...]
    end: Place
    left: int


class SpoolFiles:
    """Records in segments: appended at one end, taken up at the other. All raise LogUnavailable."""

    def __init__(
        self,
        directory: Path,
        *,
        limit_bytes: int = LIMIT_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._segment_bytes = segment_bytes
        self._clock = clock
        self._sizes: dict[int, int] = {}  # bytes of whole records by segment, in order
        self._next = 0  # the number of the next record
        self._place = Place(0, 0, 0)
        self._damaged: set[tuple[int, int]] = set()  # parts that were set aside: segment and offset
        self._writing: int | None = None  # the newest segment's file descriptor

    @property
    def is_empty(self) -> bool:
        """Whether everything has been taken up."""
        return not self._sizes

    @property
    def waiting(self) -> tuple[int, int]:
        """How many records wait, and how many bytes they have."""
        return self._next - self._place.record, self._size() - self._place.offset

    def open(self) -> None:
        """Find what an earlier process left; what its last write left torn is cut off."""
        with self._translated():
            paths = sorted(self._directory.glob(_SEGMENTS))
            self._sizes = {int(path.stem): path.stat().st_size for path in paths}
            self._next = self._clock()
            if self._sizes:
                self._next = self._cut(max(self._sizes))
            self._place = self._start()

    def append(self, payloads: Sequence[bytes]) -> None:
        """Add records; all of them are on the disk when it returns, and none when it raises."""
        data = memoryview(b"".join(map(framed, payloads)))
        self._keep_limit(len(data))
        with self._translated():
            descriptor = self._writing
            if descriptor is None or self._sizes[max(self._sizes)] >= self._segment_bytes:
                descriptor = self._begin_segment()
            segment = max(self._sizes)
            _write(descriptor, self._sizes[segment], data)
            self._sizes[segment] += len(data)
            self._next += len(payloads)

    def read(self, most: int = BATCH_RECORDS) -> Batch:
        """The next records, so many at most; none only when no whole one is left."""
        with self._translated():
            ahead = [one for one in self._sizes if one >= self._place.segment]
            batches = (self._read(segment, most) for segment in ahead)
            found = next((batch for batch in batches if batch.payloads), None)
        return found or Batch((), self._end(), 0)

    def advance(self, place: Place) -> None:
        """Take up everything before a place, and remove what is no longer needed."""
        with self._translated():
            self._place = place
            if place == self._end():
                self._clear()
                return
            remember(self._directory, place)
            for segment in [one for one in self._sizes if one < place.segment]:
                self._path(segment).unlink(missing_ok=True)
                del self._sizes[segment]

    @property
    def unreadable(self) -> Path | None:
        """The file with what was set aside, until somebody takes it away."""
        path = self._directory / UNREADABLE
        return path if path.exists() else None

    def set_aside(self, payloads: Sequence[bytes], reason: str) -> None:
        """Add records to the file of those that cannot be read; on the disk when it returns."""
        path = self._directory / UNREADABLE
        with self._translated():
            descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                data = memoryview(b"".join(map(framed, payloads)))
                _write(descriptor, os.fstat(descriptor).st_size, data)
            finally:
                os.close(descriptor)
            _sync_directory(self._directory)
        keys = {"file": str(path), "deliveries": len(payloads), "reason": reason}
        logger.error("deliveries in the spool cannot be read, they are set aside", extra=keys)

    def check(self) -> None:
        """Put something harmless on the disk, to prove that a plausible delivery could be."""
        self._keep_limit(DELIVERY_BYTES)
        with self._translated():
            prove_room(self._directory)

    def close(self) -> None:
        """Let go of the files."""
        if self._writing is not None:
            os.close(self._writing)
            self._writing = None

    # --- writing --------------------------------------------------------------------------------

    def _keep_limit(self, size: int) -> None:
        if self._size() + size > self._limit_bytes:
            raise SpoolFull(f"{self._directory} has reached {self._limit_bytes} bytes")

    def _begin_segment(self) -> int:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        descriptor = os.open(self._path(self._next), flags, 0o600)
        self.close()
        self._writing = descriptor
        self._sizes[self._next] = 0
        _sync_directory(self._directory)
        return descriptor

    # --- reading --------------------------------------------------------------------------------

    def _read(self, segment: int, most: int) -> Batch:
        size = self._sizes[segment]
        place = self._place if segment == self._place.segment else Place(segment, 0, segment)
        payloads: list[bytes] = []
        offset = place.offset
        with self._path(segment).open("rb", buffering=BUFFER_BYTES) as file:
            for payload, start, stop in islice(records(file, offset, size), most):
                self._keep_damaged(segment, offset, start)
                payloads.append(payload)
                offset = stop
                if offset - place.offset >= MIB:
                    break
        if not payloads:
            self._keep_damaged(segment, offset, size)
        end = Place(segment, offset, place.record + len(payloads))
        return Batch(tuple(payloads), end, self._next - end.record)

    def _keep_damaged(self, segment: int, start: int, stop: int) -> None:
        # What was answered may be in it: a person may still read it, and is told of it.
        if start == stop or (segment, start) in self._damaged:
            return
        with self._path(segment).open("rb") as file:
            file.seek(start)
            damaged = file.read(stop - start)
        self.set_aside([damaged], f"{self._path(segment)} is damaged at offset {start}")
        self._damaged.add((segment, start))

    def _cut(self, segment: int) -> int:
        # The number behind the segment's last whole record, at which its file now ends.
        path, size = self._path(segment), self._sizes[segment]
        count, end = 0, 0
        with path.open("r+b", buffering=BUFFER_BYTES) as file:
            for count, (_, _, end) in enumerate(records(file, 0, size), 1):  # noqa: B007
                pass
            if end < size:
                file.seek(end)
                self._before_cut(segment, end, file.read(size - end))
                file.truncate(end)
                os.fsync(file.fileno())
        self._sizes[segment] = end
        if not count:
            path.unlink()
            del self._sizes[segment]
        return segment + max(count, 1)

    def _before_cut(self, segment: int, start: int, tail: bytes) -> None:
        if is_torn(tail):
            keys = {"file": str(self._path(segment)), "bytes": len(tail)}
            logger.warning("the spool's torn end is cut off: it was never answered", extra=keys)
        else:
            self._keep_damaged(segment, start, start + len(tail))

    # --- places ---------------------------------------------------------------------------------

    def _path(self, segment: int) -> Path:
        return self._directory / f"{segment:020d}.spool"

    def _size(self) -> int:
        return sum(self._sizes.values())

    def _end(self) -> Place:
        if not self._sizes:
            return self._place
        segment = max(self._sizes)
        return Place(segment, self._sizes[segment], self._next)

    def _clear(self) -> None:
        self.close()
        # In this order: a position without its file means nothing, a file without one is harmless.
        forget(self._directory)
        while self._sizes:
            segment, _ = self._sizes.popitem()
            self._path(segment).unlink(missing_ok=True)
        self._place = Place(self._next, 0, self._next)

    def _start(self) -> Place:
        place = remembered(self._directory)
        if place and 0 <= place.offset <= self._sizes.get(place.segment, -1):
            return place
        first = min(self._sizes, default=self._next)
        return Place(first, 0, first)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise LogUnavailable(f"{self._directory} cannot be used: {reason}") from error


def _write(descriptor: int, size: int, data: memoryview) -> None:
    offset = size
    try:
        while data:
            written = os.pwrite(descriptor, data, offset)
            data = data[written:]
            offset += written
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):  # the next write begins at the same offset anyway
            os.ftruncate(descriptor, size)
        raise


def _sync_directory(directory: Path) -> None:
    # Else the file that was made in it could be missing after a power cut.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
