"""
The go command: which one there is, in which surroundings it runs, and how it is run in a build.

    BuildFailed
    +-- NoToolchain     there is no `go` on PATH
"""

import shutil
from pathlib import Path

from cd4sources.building.base import BuildFailed, Workspace, step
from cd4sources.running.commands import (
    Command,
    CommandError,
    CommandNotFound,
    Completed,
    inherited,
    run,
)

_CACHES = ("GOCACHE", "GOMODCACHE")
_INHERITED = (
    "GOFLAGS",
    "GOINSECURE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOPRIVATE",
    "GOPROXY",
    "GOSUMDB",
    "GOTOOLCHAIN",
)
_ALONE = {"GOWORK": "off", "GOENV": "off"}
_VERSION_SECONDS = 60.0  # the first call may download a toolchain
_SCRIPT = b"#!"


class NoToolchain(BuildFailed):
    """There is no `go` to build with; the message names the two ways out."""


def stamp() -> str:
    """
    Which go there is, at the cost of looking at its file; see `Recipe.stamp`.

    Of a wrapper (a script, or a launcher under another name) the file does not tell which go it
    will run: it has no stamp.
    """
    found = shutil.which("go")
    try:
        path = Path(found or "").resolve(strict=True)
        with path.open("rb") as file:
            is_script = file.read(len(_SCRIPT)) == _SCRIPT
        status = path.stat()
    except OSError:
        return ""
    if is_script or path.name != "go":
        return ""
    return f"{path} {status.st_mtime_ns} {status.st_size} {status.st_ino} {inherited(*_INHERITED)}"


async def version(data: Path) -> str:
    """
    `go version`, which names the platform too, and the flags from outside.

    The server runs it itself, so no build may have written the caches, where toolchains are.

    Raises:
        NoToolchain: There is none.
        BuildFailed: It does not answer.
    """
    home = data / "home"
    home.mkdir(parents=True, exist_ok=True)
    command = Command(
        argv=("go", "version"),
        label="go version",
        cwd=home,
        env={**inherited("PATH", *_INHERITED), "HOME": str(home), **_ALONE},
        owner=data,
        timeout_seconds=_VERSION_SECONDS,
    )
    try:
        done = await run(command)
    except CommandNotFound as error:
        raise NoToolchain(
            "there is a go.mod but no `go` on PATH: install Go (https://go.dev/dl) and put it on "
            "PATH, or add a build.sh that needs no Go"
        ) from error
    except CommandError as error:
        raise BuildFailed(str(error)) from error
    if done.returncode:
        raise BuildFailed(f"go version ended with {done.returncode}: {done.tail.strip()}")
    return f"{done.stdout.strip()} {inherited('GOFLAGS').get('GOFLAGS', '')}"


async def go(workspace: Workspace, label: str, *words: str) -> Completed:
    """Run `go` with these words in the tree, called `label` in messages. Raises BuildFailed."""
    argv, env = ("go", *words), _environment(workspace)
    return await step(workspace, argv, label, env, _written(workspace))


def out(workspace: Workspace) -> Path:
    """Where go writes the program."""
    return workspace.room / "out"


def copies(workspace: Workspace) -> Path:
    """Where go.mod and go.sum may be changed."""
    return workspace.room / "mod"


def _environment(workspace: Workspace) -> dict[str, str]:
    """
    Caches under the data directory unless set, and no workspace of the surroundings.

    A confined build has caches of its own: in shared ones it could leave code for the next.
    """
    is_apart = workspace.confinement.is_apart
    place = (workspace.room if is_apart else workspace.data) / "go"
    return {
        "GOPATH": str(place),
        "GOCACHE": str(place / "cache"),
        "GOMODCACHE": str(place / "mod"),
        **inherited(*_INHERITED, *(() if is_apart else _CACHES)),
        **_ALONE,
    }


def _written(workspace: Workspace) -> tuple[Path, ...]:
    """What go writes in the room; a confined build's caches are in its GOPATH there."""
    return (workspace.room / "go", copies(workspace), out(workspace))
