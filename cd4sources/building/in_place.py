"""
go.mod edited where it stands, and put back: the literal way, which survives being killed.

    <tree>/go.mod            a copy, which go may change
    <tree>.kept/go.mod       the committed one, set aside by one rename and put back by one
    <tree>.kept/go.sum.none  the commit has none, so that the tree's is removed

What is kept lies beside the tree, where neither git's cleaning nor a build reaches it. Each file is
put back for itself, so that it does not matter where a life ended that was about it.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cd4sources.building.base import BuildFailed, Workspace
from cd4sources.disk import NotPlain, copy_plain, remove
from cd4sources.undisturbed import in_thread

NAMES = ("go.mod", "go.sum")


@asynccontextmanager
async def editable(workspace: Workspace) -> AsyncIterator[Path]:
    """
    The tree's go.mod, to be changed as one likes; as committed again afterwards.

    Raises:
        BuildFailed: It is not a regular file.
    """
    try:
        await in_thread(_set_aside, workspace)
        yield workspace.tree / "go.mod"
    finally:
        await in_thread(put_back, workspace.tree)


def copy_to(directory: Path, source: Path) -> None:
    """Copy go.mod and go.sum to where go may change them. Raises BuildFailed."""
    for name in NAMES:
        try:
            copy_plain(source / name, directory / name)
        except NotPlain as error:
            raise BuildFailed(f"{name} is not a regular file; commit it as one") from error


def put_back(tree: Path) -> None:
    """Make go.mod and go.sum what the commit has, whatever an earlier life left half done."""
    kept = _kept(tree)
    if not kept.exists():
        return
    if tree.is_dir():
        for name in NAMES:
            _put_back(tree / name, kept / name)
    remove(kept)


def _set_aside(workspace: Workspace) -> None:
    tree, kept = workspace.tree, _kept(workspace.tree)
    kept.mkdir()
    for name in NAMES:
        if os.path.lexists(tree / name):
            (tree / name).rename(kept / name)
        else:
            _none(kept / name).touch()
    copy_to(tree, kept)
    workspace.confinement.hand_over([tree])


def _put_back(file: Path, kept: Path) -> None:
    if os.path.lexists(kept):
        if file.is_dir():
            remove(file)
        kept.replace(file)
    elif _none(kept).exists():
        remove(file)


def _kept(tree: Path) -> Path:
    return tree.with_name(f"{tree.name}.kept")


def _none(kept: Path) -> Path:
    return kept.with_name(f"{kept.name}.none")
