"""Files that hold a webhook's secret: made once, exchanged as a whole, and synced."""

import os
import secrets
from pathlib import Path

from cd4sources.disk import new_name, sync
from directcd.errors import ConfigError

BYTES = 32  # of chance, written as hex: as much as HMAC-SHA256 can use
_MODE = 0o600
_DIRECTORY = 0o700


def new_secret() -> str:
    """One that nobody has."""
    return secrets.token_hex(BYTES)


def made(path: Path) -> bool:
    """
    Make a file with a new secret; False when there is a file already, which is kept.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        path.parent.mkdir(mode=_DIRECTORY, parents=True, exist_ok=True)
        fresh = _written(path, new_secret())
        try:
            # Unlike a rename, this fails when somebody else was faster.
            path.hardlink_to(fresh)
        except FileExistsError:
            return False
        finally:
            fresh.unlink()
        sync(path.parent)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; make the secret's file yourself") from error
    return True


def put(path: Path, secret: str, like: Path) -> None:
    """
    Replace a file as a whole, for good when this returns.

    Args:
        path: the file.
        secret: what it is to hold.
        like: whose owner it gets: the hub must be able to read it.

    Raises:
        OSError: it cannot be written.
    """
    fresh = _written(path, secret)
    try:
        owner = like.stat()
        if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(fresh, owner.st_uid, owner.st_gid)
            fresh.chmod(_MODE | owner.st_mode & 0o040)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    sync(path.parent)


def _written(path: Path, secret: str) -> Path:
    """A new file beside another."""
    fresh = path.with_name(new_name())
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{secret}\n")
        file.flush()
        os.fsync(file.fileno())
    return fresh
