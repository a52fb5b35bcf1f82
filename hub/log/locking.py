"""One process a directory."""

import fcntl
from pathlib import Path
from typing import IO

from hub.log.base import LogInUse, LogUnavailable


def lock_directory(directory: Path, advice: str, data: Path | None = None) -> IO[bytes]:
    """
    Make the directory if need be and own it until the file is closed or the process ends.

    Args:
        directory: whose file `lock` is locked.
        advice: what to say to whoever comes second.
        data: the hub's data directory, where that is another; only its owner may look into it, too.

    Raises:
        LogInUse: another process has it.
        LogUnavailable: the directory cannot be used.
    """
    try:
        for made in (data or directory, directory):  # `parents` would be open to everybody
            made.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (directory / "lock").open("ab")
    except OSError as error:
        raise LogUnavailable(f"{directory}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise LogInUse(f"{directory} is in use by another hub; {advice}") from error
    return file
