"""Removing what is on disk, whatever state it is in; writing so that nobody sees the half of it."""

import contextlib
import ctypes
import errno
import os
import secrets
import shutil
import stat
import time
from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_SPACE = "No space left on device"
"""In every tool's words: they are the C library's."""

MEBIBYTE = 1024 * 1024

NEW = ".new-"
"""Begins the names of what is being written; a crash may leave it."""


_MILLISECOND_NS = 1_000_000
_MOST_LEVELS = 100  # of directories in each other; a build may leave thousands
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS})


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
    try:
        _remove_directory(path)
    except _TooDeep:
        _flatten(path)
        _remove_directory(path)


class _TooDeep(Exception):
    """Each level takes a descriptor, and a frame of Python."""


def _remove_directory(path: Path) -> None:
    permit(path, 0o700)
    deepest = str(path).count(os.sep) + _MOST_LEVELS
    for place, names, _, here in os.fwalk(path):
        if place.count(os.sep) > deepest:
            raise _TooDeep
        for name in names:
            with contextlib.suppress(NotADirectoryError):  # a link to one
                permit(name, 0o700, here)
    shutil.rmtree(path)


def _flatten(path: Path) -> None:
    """Bring every directory up, so that none is in another but the outermost."""
    left = [one for one in path.iterdir() if one.is_dir() and not one.is_symlink()]
    while left:
        here = left.pop()
        permit(here, 0o700)
        for one in [one for one in here.iterdir() if one.is_dir() and not one.is_symlink()]:
            permit(one, 0o700)  # also a directory that moves is written: its `..` changes
            left.append(one.rename(path / new_name()))


def permit(directory: Path | str, mode: int, parent: int | None = None) -> None:
    """
    Change the permissions of a directory, but follow no symbolic link that stands there.

    Args:
        directory: Its path, or its name in the parent.
        mode: The permissions.
        parent: The open directory that it is in.

    Raises:
        NotADirectoryError: It is something else, such as a symbolic link.
    """
    # Opened as a mere place: that needs no permissions of its own. See open(2), O_PATH.
    place = os.open(directory, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=parent)
    try:
        Path(f"/proc/self/fd/{place}").chmod(mode)
    finally:
        os.close(place)


def plainly(path: str, flags: int) -> int:
    """An opener for `open` that neither follows a link nor waits for a fifo's other end."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


class NotPlain(Exception):
    """What should be a regular file is something else, such as a symbolic link."""


def copy_plain(source: Path, copy: Path) -> None:
    """
    Copy a regular file, if there is one, that others have put there.

    A link is not followed, for it may lead to what only we may read; a fifo is not waited for.

    Raises:
        NotPlain: It is something else.
    """
    try:
        file = open(source, "rb", opener=plainly)  # noqa: SIM115 -- entered below
    except FileNotFoundError:
        return
    except OSError as error:
        raise NotPlain(source) from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise NotPlain(source)
        with copy.open("wb") as into:
            shutil.copyfileobj(file, into)


def write(path: Path, text: str, *, synced: bool = False) -> None:
    """Replace a file as a whole; whoever reads sees the old text or the new one."""
    fresh = path.with_name(new_name())
    try:
        fresh.write_text(text, encoding="utf-8")
        if synced:  # what a crash must not turn into an empty file
            sync(fresh)
        if path.is_dir():  # damage
            remove(path)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def put(fresh: Path, place: Path) -> None:
    """
    Give a directory its name; what had that name until now, if anything, gets the other one.

    Whoever looks meanwhile finds the old one or the new one: two names are exchanged in one step
    (https://man7.org/linux/man-pages/man2/rename.2.html), where the file system can do that.
    """
    if not os.path.lexists(place):
        fresh.rename(place)
    elif not _exchanged(fresh, place):
        aside = fresh.with_name(new_name())
        place.rename(aside)
        try:
            fresh.rename(place)
        except OSError:
            aside.rename(place)
            raise
        aside.rename(fresh)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names; False where that is not to be had."""
    libc = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(one), os.fsencode(other)
    if not hasattr(libc, "renameat2"):
        return False
    if libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(other))


def point(link: Path, name: str) -> None:
    """
    Replace a relative symbolic link as a whole, on disk for good when this returns.

    Its modification time is later than the one before, whatever the clock did in between.
    """
    fresh = link.with_name(new_name())
    fresh.symlink_to(name)
    try:
        before = link.lstat().st_mtime_ns if link.is_symlink() else 0
        now = max(time.time_ns(), before + _MILLISECOND_NS)
        os.utime(fresh, ns=(now, now), follow_symlinks=False)
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


def fullness(path: Path) -> str:
    """Say of a disk that is full which it is, and how much of it is free all the same."""
    usage = shutil.disk_usage(path)
    return (
        f"the disk at {_mount(path)}, which holds {path}, is full: "
        f"{usage.free / MEBIBYTE:.0f} of {usage.total / MEBIBYTE:.0f} MiB are free"
    )


def _mount(path: Path) -> Path:
    """Where the file system of a path begins."""
    resolved = path.resolve()
    return next(one for one in (resolved, *resolved.parents) if one.is_mount())
