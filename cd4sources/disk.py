"""Removing what is on disk, whatever state it is in; writing so that nobody sees the half of it."""

import os
import secrets
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

NEW = ".new-"
"""Begins the names of what is being written; a crash may leave it."""


def new_name() -> str:
    """A name for what is being written."""
    return f"{NEW}{secrets.token_hex(6)}"


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


def write(path: Path, text: str) -> None:
    """Replace a file as a whole; whoever reads sees the old text or the new one."""
    fresh = path.with_name(new_name())
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def point(link: Path, name: str) -> None:
    """Replace a relative symbolic link as a whole, on disk for good when this returns."""
    fresh = link.with_name(new_name())
    fresh.symlink_to(name)
    try:
        fresh.replace(link)
    finally:
        fresh.unlink(missing_ok=True)
    sync(link.parent)


def pointed(link: Path) -> str:
    """What a symbolic link names, empty for none."""
    try:
        return str(link.readlink())
    except OSError:
        return ""


def sync(path: Path) -> None:
    """Flush a file, or a directory's entries, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
