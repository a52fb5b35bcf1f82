"""Files and directories that a configuration names: are they there, and who else may read them."""

import os
import stat
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from directcd.config import Config
from directcd.doctor import places
from directcd.doctor.findings import Finding, Mend, ok, problem, warning

_OTHERS = stat.S_IRWXO
_GROUP_AND_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SECRET = 0o600
_DIRECTORY = 0o700
_MOUNTED = Path("/run/secrets")
"""Where containers have their secrets: no user of the machine reaches them there."""


def check(config: Config, file: Path) -> Iterator[Finding]:
    """Secret files, keys, directcd.toml where it holds secrets, and data directories."""
    for where, path in places.secret_files(config):
        yield secret_file(path, where)
    for where, path in places.public_files(config):
        yield _there(path, where) or ok(f"{path} is there", where)
    if written := next(places.written_secrets(config), None):
        yield _mode(file, written[0])
    directories = list(places.data_directories(config))
    for where, path in directories:
        yield data_directory(path, where)
    for (one, its), (other, others) in combinations(directories, 2):
        if its.absolute() == others.absolute():
            step = "give each a directory of its own"
            yield problem(f"the same directory as {one}: the second to start fails", other, step)


def secret_file(path: Path, where: str) -> Finding:
    """One file with a secret."""
    return _there(path, where) or _mode(path, where)


def data_directory(path: Path, where: str) -> Finding:
    """One data directory, or the place where it will be made."""
    if not (there := places.there(path)).is_dir() or not os.access(there, os.W_OK | os.X_OK):
        step = "give `data` another directory, or ask as the user that directcd runs as"
        return problem(f"{path} cannot be made or written by this user", where, step)
    if there != path.absolute():
        mend = Mend(f"mkdir {path}", lambda: path.mkdir(mode=_DIRECTORY, parents=True))
        return ok(f"{path} will be made at the start", where, mend)
    if _bits(path) & _OTHERS and where == "hub.data":  # it holds payloads
        mend = Mend(f"chmod 700 {path}", lambda: path.chmod(_DIRECTORY))
        return warning(f"every user may look into {path}", where, f"chmod 700 {path}", mend)
    return ok(f"{path} can be written", where)


def _there(path: Path, where: str) -> Finding | None:
    """Why a file cannot be used; None when it can."""
    setting = where.rpartition(".")[2]
    step = f"put it there, or correct {setting}"
    if setting.startswith("secrets_files"):
        step += "; `directcd hook create` makes it, and the webhook"
    try:
        found = path.stat()
    except OSError as error:
        return problem(f"{path}: {(error.strerror or 'unusable').lower()}", where, step)
    if not stat.S_ISREG(found.st_mode):
        return problem(f"{path} is not a regular file", where, step)
    if not found.st_size:
        return problem(f"{path} is empty", where, step)
    if not os.access(path, os.R_OK):
        return problem(f"{path} cannot be read by this user", where, f"chown {path}")
    return None


def _mode(path: Path, where: str) -> Finding:
    unwanted = _GROUP_AND_OTHERS if where.endswith("ssh_key_file") else _OTHERS
    if path.is_relative_to(_MOUNTED) and unwanted == _OTHERS:
        return ok(f"{path} is this container's alone", where)
    if not _bits(path) & unwanted:
        return ok(f"{path} is kept from other users", where)
    mend = Mend(f"chmod 600 {path}", lambda: path.chmod(_SECRET))
    what = f"{path} holds a secret, and other users of this machine may read it"
    step = f"chmod 600 {path}, as the user that directcd runs as"
    return warning(what, where, step, mend)


def _bits(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
