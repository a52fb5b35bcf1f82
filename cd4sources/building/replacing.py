"""
Which modules a sibling checkout stands in for, and the lines in go.mod that say so.

A replacement is named by the sibling's path relative to the tree, as a person would write it
(`../1-lib`): so no directory of this machine gets into the program.
"""

import asyncio
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from adapters.identity import repository_keys
from cd4sources.building.base import BuildFailed, Workspace
from cd4sources.building.go_tool import go
from cd4sources.targets import Repository

# A path and a version on one line, https://go.dev/ref/mod#go-mod-file-lexical: go would tell it
# exactly, but takes some milliseconds for that on the way of every push.
_REQUIRED = re.compile(
    r'^[ \t]*(?:require[ \t]+)?"?([^\s"()]+)"?[ \t]+"?v\d', re.MULTILINE | re.ASCII
)
_MOST_BYTES = 1024 * 1024
"""It is read in this process; the largest there are come to a tenth of it."""


async def replace(workspace: Workspace, repositories: Sequence[Repository], file: Path) -> None:
    """
    Write the replacements into a go.mod, in place of those that it has for the same modules.

    Args:
        workspace: Where the siblings are.
        repositories: What stands in for something.
        file: The go.mod.

    Raises:
        BuildFailed: go cannot read it, or it requires nothing of what a repository replaces.
    """
    edits = await asyncio.to_thread(_all_edits, workspace, repositories, file)
    await go(workspace, "go mod edit", "mod", "edit", *edits, str(file))


def required_in(file: Path) -> list[str]:
    """The modules that a go.mod requires. Raises BuildFailed when it is too long to be one."""
    if file.stat().st_size > _MOST_BYTES:
        raise BuildFailed(f"go.mod is longer than {_MOST_BYTES} bytes; shorten it")
    return _REQUIRED.findall(file.read_text(encoding="utf-8", errors="replace"))


def _all_edits(workspace: Workspace, repositories: Sequence[Repository], file: Path) -> list[str]:
    required = required_in(file)
    return [edit for one in repositories for edit in _edits(workspace, one, required)]


def _edits(workspace: Workspace, repository: Repository, required: list[str]) -> list[str]:
    sibling = workspace.siblings[repository.url]
    root = os.path.relpath(sibling, workspace.tree)
    found = _modules(repository.replaces, sibling, required)
    places = {module: f"{root}/{inner}" if inner else root for module, inner in found.items()}
    return [f"-replace={module}={place}" for module, place in places.items()]


def _modules(wanted: str, sibling: Path, required: list[str]) -> dict[str, str]:
    """The module paths that a repository stands in for, each with its directory there."""
    if wanted in required:
        return {wanted: ""}
    keys = repository_keys(wanted)
    found = {
        path: inner
        for path in required
        for inner in _directories(path, keys)
        if not inner or (sibling / inner / "go.mod").is_file()
    }
    if not found and "://" in wanted:
        raise BuildFailed(
            f"go.mod requires nothing from {wanted}; correct `replaces`, or name the module path"
        )
    return found or {wanted: ""}


def _directories(path: str, keys: frozenset[str]) -> Iterator[str]:
    """
    Where a module may be in the repository with these keys; the last one that is there counts.

    A module's path is its repository's address, then its directory, then a major version (`/v2`)
    that may be a directory, too: https://go.dev/ref/mod#module-path
    """
    parts = path.split("/")
    for number in range(1, len(parts) + 1):
        if keys & repository_keys("/".join(parts[:number])):
            inner = parts[number:]
            if inner and inner[-1].startswith("v") and inner[-1][1:].isdigit():
                yield "/".join(inner[:-1])
            yield "/".join(inner)
