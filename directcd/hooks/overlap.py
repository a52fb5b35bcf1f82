"""
A source's secret file while it is rotated: the old secret beside the new one, for the hub to read.

    FILE                          nothing is under way
    FILE, and FILE.previous       the same in both: the new secret is still to be made
    FILE, and FILE.previous       different: webhooks may sign with either

Killed between any two steps it stands in one of these, and goes on from there.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cd4sources.disk import sync
from directcd.errors import ConfigError
from directcd.hooks.secret_files import new_secret, put
from directcd.hooks.source_secrets import read
from hub.secrets import previous_of


@dataclass(frozen=True)
class Overlap:
    """The two files of a source. What cannot be read raises SecretFileError, or ConfigError."""

    file: Path

    @property
    def previous(self) -> Path:
        """Where the old secret is."""
        return previous_of(self.file)

    @property
    def is_under_way(self) -> bool:
        """Whether a rotation was begun and has not ended."""
        return self.previous.exists()

    def new(self) -> str:
        """The new secret, or the only one."""
        return read(self.file)

    def old(self) -> str:
        """The old one."""
        return read(self.previous)

    def begin(self) -> None:
        """Keep the old secret. Raises OSError."""
        if not self.is_under_way:
            put(self.previous, self.new(), self.file)

    def advance(self) -> None:
        """Make the new secret, unless there is one. Raises OSError."""
        if self.new() == self.old():
            put(self.file, new_secret(self.old()), self.previous)

    def put_back(self) -> None:
        """Let the old secret be the only one again. Raises OSError."""
        put(self.file, self.old(), self.previous)
        self.end()

    def end(self) -> None:
        """Forget the old secret. Raises OSError."""
        self.previous.unlink(missing_ok=True)
        sync(self.file.parent)


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """
    Rotate one secret at a time; the kernel lets go of it however the process ends.

    Raises:
        ConfigError: another process does, or the directory cannot be opened.
    """
    try:
        directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigError(f"{file.parent}: {error.strerror}") from error
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ConfigError(f"another `directcd hook rotate` is at work on {file}") from None
    finally:
        os.close(directory)
