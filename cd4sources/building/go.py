"""
A Go module: `go build` with replacements in a copied go.mod, so that nothing in the tree changes.

`-modfile` takes the copy in place of go.mod, and its neighbour in place of go.sum; `-mod=mod` lets
go complete both and ignore a vendor directory. See https://go.dev/ref/mod#build-commands
"""

import asyncio
import json
from pathlib import Path

from adapters.identity import repository_keys
from cd4sources.building.base import BuildFailed, Workspace, artifact_in, step
from cd4sources.disk import NotPlain, copy_plain, remove
from cd4sources.running.commands import Command, CommandError, inherited, run
from cd4sources.targets import Repository, Target

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


class GoRecipe:
    """Builds the main package at the module's root."""

    def __init__(self, target: Target) -> None:
        """Keep the output's name and what stands in for what."""
        self._output = target.output or target.name
        self._replacing = [one for one in target.repositories[1:] if one.replaces]
        self.fingerprint = f"go 1 {self._output}"

    async def toolchain(self, data: Path) -> str:
        """
        `go version`, which names the platform too, and the flags from outside.

        The server runs it itself, so no build may have written the caches, where toolchains are.
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
        except CommandError as error:
            raise BuildFailed(f"{error}; or add a build.sh that needs no Go") from error
        if done.returncode:
            raise BuildFailed(f"go version ended with {done.returncode}: {done.tail.strip()}")
        return f"{done.stdout.strip()} {inherited('GOFLAGS').get('GOFLAGS', '')}"

    async def build(self, workspace: Workspace) -> Path:
        """Build into the workspace's room; go.mod and go.sum stay as committed."""
        env = _environment(workspace)
        out = _out(workspace)
        await asyncio.to_thread(remove, out)
        flags = await self._replaced(workspace, env) if self._replacing else ()
        # A repository around the data directory is not the program's: no version control stamps.
        argv = (
            "go",
            "build",
            "-trimpath",
            "-buildvcs=false",
            *flags,
            "-o",
            str(out / self._output),
        )
        await step(workspace, (*argv, "."), "go build", env, _written(workspace))
        return artifact_in(out, self._output, "go build")

    async def _replaced(self, workspace: Workspace, env: dict[str, str]) -> tuple[str, ...]:
        """The flags that make go use a copied go.mod with the replacements."""
        await asyncio.to_thread(_copy, workspace)
        copy = _copies(workspace) / "go.mod"
        required = await _required(workspace, copy, env)
        edits = [
            f"-replace={_module(one, required)}={workspace.siblings[one.url]}"
            for one in self._replacing
        ]
        edit = ("go", "mod", "edit", *edits, str(copy))
        await step(workspace, edit, "go mod edit", env, _written(workspace))
        return (f"-modfile={copy}", "-mod=mod")


def _out(workspace: Workspace) -> Path:
    return workspace.room / "out"


def _copies(workspace: Workspace) -> Path:
    return workspace.room / "mod"


def _copy(workspace: Workspace) -> None:
    """Copy go.mod and go.sum to where go may change them."""
    copies = _copies(workspace)
    remove(copies)
    copies.mkdir()
    for name in ("go.mod", "go.sum"):
        try:
            copy_plain(workspace.tree / name, copies / name)
        except NotPlain as error:
            raise BuildFailed(f"{name} is not a regular file; commit it as one") from error
    workspace.confinement.hand_over([copies])


async def _required(workspace: Workspace, copy: Path, env: dict[str, str]) -> list[str]:
    """The paths of all required modules."""
    argv = ("go", "mod", "edit", "-json", str(copy))
    read = await step(workspace, argv, "go mod edit", env, _written(workspace))
    return [one["Path"] for one in json.loads(read.stdout).get("Require") or ()]


def _module(repository: Repository, required: list[str]) -> str:
    """The module path that a repository stands in for: spelled as a path, or as a repository."""
    wanted = repository.replaces
    keys = repository_keys(wanted)
    found = [path for path in required if path == wanted or keys & _path_keys(path)]
    if found:
        return found[0]
    if "://" in wanted:
        raise BuildFailed(
            f"go.mod requires nothing from {wanted}; correct `replaces`, or name the module path"
        )
    return wanted


def _path_keys(path: str) -> frozenset[str]:
    """A module path is a repository's address, or that with a major version (`/v2`)."""
    head, _, last = path.rpartition("/")
    major = last.startswith("v") and last[1:].isdigit()
    return repository_keys(head if major else path)


def _environment(workspace: Workspace) -> dict[str, str]:
    """
    Caches under the data directory unless set, and no workspace of the surroundings.

    A confined build has caches of its own: in shared ones it could leave code for the next.
    """
    is_apart = workspace.confinement.is_apart
    go = (workspace.room if is_apart else workspace.data) / "go"
    return {
        "GOPATH": str(go),
        "GOCACHE": str(go / "cache"),
        "GOMODCACHE": str(go / "mod"),
        **inherited(*_INHERITED, *(() if is_apart else _CACHES)),
        **_ALONE,
    }


def _written(workspace: Workspace) -> tuple[Path, ...]:
    """What go writes in the room; a confined build's caches are in its GOPATH there."""
    return (workspace.room / "go", _copies(workspace), _out(workspace))
