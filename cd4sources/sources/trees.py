"""
A build tree: a directory that holds exactly the files of one commit, and nothing of git.

    <tree>/             brought up to date in place, which costs what has changed
    <tree>.git/         what git knows of the files in it: its own HEAD and index, as of a worktree
    <tree>.commit       which commit it is complete for; absent while it is being changed

Whatever is in doubt is thrown away and made anew.
"""

import asyncio
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cd4sources.disk import permit, remove
from cd4sources.running.commands import Completed
from cd4sources.sources.git import Git
from cd4sources.sources.indexes import submodules_of
from cd4sources.undisturbed import in_thread

_LEAF_LINKS = 2  # its name, and its own `.`


async def check_out(git: Git, mirror: Path, commit: str, tree: Path) -> Completed | None:
    """
    Make a directory hold exactly a commit's files.

    Args:
        git: How git is run.
        mirror: The repository that has the commit.
        commit: Its full hash.
        tree: The directory.

    Returns:
        The git command that failed, if not even an empty directory could be filled.
    """
    marker = _beside(tree, ".commit")
    complete = await asyncio.to_thread(_is_complete, tree)
    marker.unlink(missing_ok=True)
    if not (complete and await _updated(git, mirror, commit, tree) is None):
        await in_thread(_empty, tree)
        if failed := await _updated(git, mirror, commit, tree):
            return failed
    marker.write_text(commit, encoding="ascii")
    return None


async def _updated(git: Git, mirror: Path, commit: str, tree: Path) -> Completed | None:
    """Bring a tree to a commit and clean it; the command that failed, if any."""
    own = _beside(tree, ".git")
    (own / "HEAD").write_text(f"{commit}\n", encoding="ascii")
    env = {"GIT_DIR": str(own), "GIT_COMMON_DIR": str(mirror), "GIT_WORK_TREE": str(tree)}
    # Unlike `read-tree --reset -u`, it looks at the files with several threads.
    done = await git("checkout", "--quiet", "--force", "--detach", env=env)
    if done.returncode:
        return done
    done, remains = await asyncio.gather(
        git("clean", "-ffdx", "--quiet", env=env),
        asyncio.to_thread(_look_over, tree, len(commit) // 2),  # meanwhile, on another processor
    )
    if done.returncode or remains is None:
        return done
    await in_thread(_finish, tree, remains)
    return None


def _is_complete(tree: Path) -> bool:
    files = (_beside(tree, ".commit"), _beside(tree, ".git") / "index")
    return all(one.exists() for one in files) and tree.is_dir() and not tree.is_symlink()


def _empty(tree: Path) -> None:
    """An empty directory, of which git knows nothing; a killed git's locks go, too."""
    for path in (tree, _beside(tree, ".git")):
        remove(path)
        path.mkdir(parents=True)


@dataclass(frozen=True)
class _Remains:
    """What git leaves: directories' permissions, repositories in them, files in submodules."""

    directories: list[str]
    submodules: list[Path]


def _finish(tree: Path, remains: _Remains) -> None:
    """Undo what git leaves."""
    expected = tree.parent.stat().st_mode
    for here in filter(os.path.lexists, remains.directories):  # git has removed some of them
        permit(here, stat.S_IMODE(expected))
        remove(Path(here, ".git"))
    for path in remains.submodules:
        remove(tree / path)
        (tree / path).mkdir(parents=True)  # git has removed whatever else a build left above it


def _look_over(tree: Path, object_bytes: int) -> _Remains | None:
    """What git leaves; None when something cannot be read, and is in doubt."""
    expected = tree.parent.stat().st_mode  # made by us, too, and no build's
    try:
        return _Remains(
            [
                here
                for here, mode in _directories(str(tree))
                if mode != expected or os.path.lexists(f"{here}/.git")
            ],
            submodules_of(_beside(tree, ".git") / "index", object_bytes),
        )
    except (OSError, ValueError, struct.error):
        return None


def _directories(tree: str) -> Iterator[tuple[str, int]]:
    """
    Every directory with its mode, but for those that go away meanwhile.

    Where a directory's links count those in it, one with two links has none and is not read, which
    is nearly all of the work: https://www.gnu.org/software/findutils/manual/html_mono/find.html
    (`-noleaf`). Whether they count is seen at the root.
    """
    left, counting = [tree], False
    while left:
        here = left.pop()
        try:
            status = os.lstat(here)
            yield here, status.st_mode
            if counting and status.st_nlink == _LEAF_LINKS:
                continue
            with os.scandir(here) as entries:
                inner = [one.path for one in entries if one.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            continue
        counting = counting or (here == tree and 0 < len(inner) == status.st_nlink - _LEAF_LINKS)
        left += inner


def _beside(tree: Path, end: str) -> Path:
    return tree.with_name(tree.name + end)
