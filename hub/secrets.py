"""A source's secrets: where they are written, and how one is recognised without being kept."""

import hashlib
import os
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

MAX_SECRET_BYTES = 64 * 1024

_SALT = b"directcd: which webhook secret is this?"


@dataclass(frozen=True)
class Secret:
    """One secret, and where it is written: `secrets[0]`, or a file's path."""

    place: str
    value: bytes

    def __repr__(self) -> str:
        """The place alone."""
        return f"Secret({self.place!r})"

    @cached_property
    def mark(self) -> str:
        """
        16 hex digits that stand for the secret wherever it is written, in what the log remembers.

        Made slowly (12 ms, once), so that nobody finds the secret by trying.
        """
        return hashlib.scrypt(self.value, salt=_SALT, n=4096, r=8, p=1, dklen=8).hex()


def previous_of(path: Path) -> Path:
    """The file beside a secret's, where the one before it stands for as long as it is rotated."""
    return Path(f"{path}.previous")


class SecretFileError(Exception):
    """A secret file cannot be read, or is empty."""


class SecretFile:
    """A secret in a file, read again when the file changes: rotation needs no restart."""

    def __init__(self, path: Path) -> None:
        self.place = str(path)
        self._path = path
        self._seen: tuple[int, int, int, int] | None = None
        self._secret = Secret(self.place, b"")

    def is_there(self) -> bool:
        """Whether there is anything of this name; what it is, `read` says."""
        return os.path.lexists(self._path)

    def read(self) -> Secret:
        """
        The file's content without surrounding white space.

        Raises:
            SecretFileError: the file is missing, unreadable or empty.
        """
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size)
            if stamp != self._seen:
                self._check(found)
                self._secret = Secret(self.place, self._path.read_bytes().strip())
                self._seen = stamp
        except OSError as error:
            raise SecretFileError(f"secret file {self._path}: {error.strerror}") from error
        except ValueError as error:  # a path with a NUL
            raise SecretFileError(f"secret file {self.place!r}: {error}") from error
        if not self._secret.value:
            raise SecretFileError(f"secret file {self._path} is empty")
        return self._secret

    def _check(self, found: os.stat_result) -> None:
        # Reading a FIFO would wait for ever.
        if not stat.S_ISREG(found.st_mode):
            raise SecretFileError(f"secret file {self._path} is not a regular file")
        if found.st_size > MAX_SECRET_BYTES:
            raise SecretFileError(f"secret file {self._path} has over {MAX_SECRET_BYTES} bytes")
