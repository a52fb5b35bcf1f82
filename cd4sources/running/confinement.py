"""
What a build may use, and as whom it runs: limits, another user, a sandbox.

The nanny sets limits and user; the sandbox is bubblewrap
(https://github.com/containers/bubblewrap).

What a build may write lies in a directory that only the server may write: no build can put a
link in its place. Within it, nothing is taken by a path that a build could have led elsewhere.
"""

import os
import pwd
import shutil
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cd4sources.disk import remove
from cd4sources.settings import ServerSettings


class CannotConfine(Exception):
    """Builds cannot be confined as the settings ask."""


@dataclass(frozen=True)
class User:
    """Whose rights a build has: one user and its primary group, no others."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Confinement:
    """How one command is held: `limits` maps names such as NOFILE to numbers."""

    limits: tuple[tuple[str, int], ...] = (("CORE", 0),)
    user: User | None = None
    sandboxed: bool = False

    @property
    def is_apart(self) -> bool:
        """Tell whether builds must share nothing with each other or with the server."""
        return self.sandboxed or self.user is not None

    @classmethod
    def from_settings(cls, settings: ServerSettings) -> "Confinement":
        """
        The confinement of a server's builds.

        Raises:
            CannotConfine: `build_user` is unknown, or we may not become it.
        """
        wanted = {
            "NOFILE": settings.build_max_open_files,
            "FSIZE": settings.build_max_file_bytes,
            "AS": settings.build_max_memory_bytes,
            "NPROC": settings.build_max_processes,
        }
        limits = [("CORE", 0), *((name, most) for name, most in wanted.items() if most)]
        user = _user(settings.build_user) if settings.build_user else None
        return cls(tuple(limits), user, settings.build_sandbox == "bubblewrap")

    def command(self, argv: Sequence[str], data: Path, writable: Iterable[Path]) -> tuple[str, ...]:
        """
        The command that runs another one in its sandbox, if there is to be one.

        Args:
            argv: Program and arguments.
            data: The server's data directory, which the sandbox hides.
            writable: The directories that it shows and lets be written.

        Raises:
            CannotConfine: bubblewrap is not installed.
        """
        if not self.sandboxed:
            return tuple(argv)
        if not shutil.which("bwrap"):
            raise CannotConfine(
                "there is no bwrap for build_sandbox: install the package bubblewrap, "
                'or set build_sandbox = "none"'
            )
        binds = [word for path in writable for word in ("--bind", str(path), str(path))]
        return (*_BUBBLEWRAP, "--tmpfs", str(data), *binds, "--", *argv)

    def open_up(self, data: Path) -> None:
        """
        Let the build user reach its own part of the data directory, and no other.

        Raises:
            CannotConfine: The directory lies in one that the build user may not enter.
        """
        if not self.user:
            return
        for parent in data.parents:
            if not parent.stat().st_mode & stat.S_IXOTH:
                raise CannotConfine(
                    f"build_user cannot reach {data}, because only some users may enter {parent}; "
                    f"give `data` another place, or do `chmod o+x {parent}`"
                )
        data.chmod(0o711)
        for name in ("mirrors", "versions", "builds", "home", "go"):
            (data / name).mkdir(exist_ok=True)
            (data / name).chmod(0o700)
        for name in ("trees", "rooms"):
            (data / name).mkdir(exist_ok=True)
            os.chown(data / name, -1, self.user.gid)
            (data / name).chmod(0o710)

    def is_own(self, directory: Path) -> bool:
        """Tell whether a directory is there, and the build user's."""
        return _is_directory_of(directory, self.user.uid if self.user else None)

    def hand_over(self, directories: Iterable[Path]) -> None:
        """
        Make directories, with all that is in them, the build user's.

        Whatever else stands in the place of one is removed. Only the server may be able to write
        the directory that it lies in.
        """
        for directory in directories:
            keep(directory)
            if self.user:
                _give(directory, self.user)


def keep(directory: Path, owner: int | None = None) -> None:
    """See that a directory is there, the owner's if one is given, whatever else stood there."""
    if not _is_directory_of(directory, owner):
        remove(directory)
        directory.mkdir(parents=True)


UNCONFINED = Confinement()
"""Nothing is held back; only core files are not written."""

# Without capabilities not even root undoes a mount. The network stays: builds download.
_BUBBLEWRAP = (
    *("bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"),  # noqa: S108 -- hidden, not used
    *("--unshare-pid", "--unshare-ipc", "--die-with-parent", "--cap-drop", "ALL"),
)


def _user(name: str) -> User:
    try:
        found = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError as error:
        raise CannotConfine(
            f"build_user: there is no user {name!r}; make it, or correct it"
        ) from error
    if os.geteuid() != 0:
        raise CannotConfine(
            f"build_user: only root can build as {name!r}; start as root, or leave it empty"
        )
    return User(found.pw_uid, found.pw_gid)


def _is_directory_of(path: Path, owner: int | None) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and owner in (None, found.st_uid)


def _give(directory: Path, user: User) -> None:
    """Change owners, but of no hard link: its file may be another's, and stand elsewhere, too."""
    top = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for _, directories, files, here in os.fwalk(dir_fd=top):
            _give_entries(here, (*directories, *files), user)
        os.fchown(top, user.uid, user.gid)  # last: it tells that all is done
    finally:
        os.close(top)


def _give_entries(directory: int, names: Iterable[str], user: User) -> None:
    for name in names:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if found.st_uid != user.uid and (stat.S_ISDIR(found.st_mode) or found.st_nlink == 1):
            os.chown(name, user.uid, user.gid, dir_fd=directory, follow_symlinks=False)
