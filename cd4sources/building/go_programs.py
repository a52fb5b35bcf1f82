"""What a module has in place of a program at its root, and the way to build one of its others."""

import os
from pathlib import Path

from cd4sources.building.base import BuildFailed, Workspace
from cd4sources.building.go_tool import go

_ARCHIVE = b"!<arch>\n"  # what `go build -o` writes of a package that is not main
_MOST_SHOWN = 10


def is_archive(path: Path) -> bool:
    """Tell whether a file is a compiled library, which looks like a program by its name alone."""
    with path.open("rb") as file:
        return file.read(len(_ARCHIVE)) == _ARCHIVE


async def no_program(
    workspace: Workspace, output: str, flags: tuple[str, ...], failed: BuildFailed | None = None
) -> BuildFailed:
    """
    Say that there is no program at the module's root, where there are some, and what to do.

    Args:
        workspace: Where the module is.
        output: How the program is to be called.
        flags: With which it was built.
        failed: What go said, if it did; of a library it says nothing.
    """
    what = "there is no Go file for it" if failed else "it holds a library, which cannot run"
    found = await _programs(workspace, flags)
    return BuildFailed(
        f"there is no program at the module's root: {what}; {_way_out(found, output)}",
        exit_code=failed.exit_code if failed else None,
        tail=failed.tail if failed else "",
        log=workspace.log,
    )


async def _programs(workspace: Workspace, flags: tuple[str, ...]) -> list[str]:
    """The directories of the module's main packages, relative to its root."""
    shown = '{{if eq .Name "main"}}{{.Dir}}{{end}}'
    try:
        listed = await go(workspace, "go list", "list", "-e", *flags, "-f", shown, "./...")
    except BuildFailed:
        return []
    return [_relative(line, workspace) for line in listed.stdout.splitlines() if line]


def _relative(directory: str, workspace: Workspace) -> str:
    return f"./{os.path.relpath(directory, workspace.tree.resolve())}"


def _way_out(found: list[str], output: str) -> str:
    if not found:
        return "add `package main` with a func main, or a build.sh"
    more = f" and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
    return (
        f"its programs are {', '.join(found[:_MOST_SHOWN])}{more}: "
        "add a build.sh with two lines, such as\n"
        f'test "$1" = artifact || exec go build -o {output} {found[0]}\n'
        f"echo {output}\n"
    )
