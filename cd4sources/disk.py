"""Removing what is on disk, whatever state it is in."""

import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path


def remove(path: Path) -> None:
    """
    Remove a file, a directory, or anything else a build may have left in its place.

    A fifo must not be opened, and a directory without permissions must get them before it is read.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode):
        path.unlink()
        return
    path.chmod(0o700)
    for directory, names, _ in os.walk(path):
        _open_up(Path(directory, name) for name in names)
    shutil.rmtree(path)


def _open_up(directories: Iterable[Path]) -> None:
    for directory in directories:
        if not directory.is_symlink():
            directory.chmod(0o700)
