"""A file that a download fills, perhaps in several attempts, and the digest of what is in it."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_CHUNK_BYTES = 1024 * 1024


class Partial:
    """
    The bytes that are here so far; not executable, whoever sent them.

    Attributes:
        length: How many there are.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Know nothing of the file's bytes yet."""
        self._file = file
        self._digest = hashlib.sha256()
        self.length = 0

    @property
    def sha256(self) -> str:
        """The digest of all bytes, in hex."""
        return self._digest.hexdigest()

    def take_up(self, size: int) -> None:
        """Read what an earlier attempt left, unless it is more than `size` bytes. Blocks."""
        if os.fstat(self._file.fileno()).st_size > size:
            self.restart()
        while chunk := self._file.read(_CHUNK_BYTES):
            self._digest.update(chunk)
            self.length += len(chunk)

    def add(self, piece: bytes) -> None:
        """Append bytes."""
        left = memoryview(piece)
        while left:
            left = left[self._file.write(left) :]
        self._digest.update(piece)
        self.length += len(piece)

    def restart(self) -> None:
        """Begin again with nothing."""
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self.length = 0

    def sync(self) -> None:
        """Bring the bytes to disk. Blocks."""
        os.fsync(self._file.fileno())


@contextmanager
def opened(path: Path) -> Iterator[Partial]:
    """
    Open a file to fill, made when missing.

    Raises:
        OSError: It cannot be written, or is no regular file of its own.
    """
    # A link or a fifo in its place would lead the bytes elsewhere, or the reader to wait for ever.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is no regular file; remove it")
        yield Partial(file)
