"""Files that hold a webhook's secret: made once, exchanged as a whole, and synced."""

import base64
import os
import secrets
from pathlib import Path

from cd4sources.disk import new_name, sync
from directcd.errors import ConfigError

BYTES = 32  # of chance, written as hex: as much as HMAC-SHA256 can use
_KEY = "whsec_"
_MODE = 0o600
_OF_GROUP = 0o040
_DIRECTORY = 0o700


def new_secret(like: str = "") -> str:
    """One that nobody has; of the form of another: a key that signs at GitLab begins as such."""
    if like.startswith(_KEY):
        return _KEY + base64.b64encode(secrets.token_bytes(BYTES)).decode()
    return secrets.token_hex(BYTES)


def made(path: Path) -> bool:
    """
    Make a file with a new secret; False when there is a file already, which is kept.

    Raises:
        ConfigError: it cannot be made.
    """
    if path.exists():  # perhaps where nothing can be written, as a container's secrets are
        return False
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
        like: whose owner it gets, and whose group may read it: the hub must be able to.

    Raises:
        OSError: it cannot be written.
    """
    fresh = _written(path, secret)
    try:
        owner = like.stat()
        if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(fresh, owner.st_uid, owner.st_gid)
        fresh.chmod(_MODE | owner.st_mode & _OF_GROUP)
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
