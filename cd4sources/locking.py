"""One process a data directory."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DataInUse(Exception):
    """Another process works in this data directory."""


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """
    Hold a data directory, made if need be; the kernel lets go of it however the process ends.

    Raises:
        DataInUse: Another process holds it.
        OSError: It cannot be made or written.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataInUse(
                f"another process works in {data}; stop it, or give this one another `data`"
            ) from error
        yield
