"""One process a data directory."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cd4sources.disk import FULL


class DataUnusable(Exception):
    """The data directory cannot be made or written."""


class DataInUse(DataUnusable):
    """Another process works in this data directory."""


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """
    Hold a data directory, made if need be; the kernel lets go of it however the process ends.

    Raises:
        DataInUse: Another process holds it.
        DataUnusable: It cannot be made or written.
    """
    with _lock_file(data) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataInUse(
                f"another process works in {data}; stop it, or give this one another directory"
            ) from error
        yield


def _lock_file(data: Path) -> IO[bytes]:
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        return (data / "lock").open("ab")
    except OSError as error:
        raise unusable(data, error) from error


def unusable(data: Path, error: OSError) -> DataUnusable:
    """What to raise when a part of a data directory cannot be made."""
    step = "give it a directory that this user may write"
    if error.errno in FULL:
        step = "its disk is full; next: make room there"
    return DataUnusable(f"{data}: {error.strerror}; {step}")
