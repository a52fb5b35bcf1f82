"""
A Go module: `go build` with replacements in a copied go.mod, so that nothing in the tree changes.

`-modfile` takes the copy in place of go.mod, and its neighbour in place of go.sum; `-mod=mod` lets
go complete both and ignore a vendor directory. See https://go.dev/ref/mod#build-commands
"""

import json
import shutil
from pathlib import Path

from adapters.identity import repository_keys
from cd4sources.building.base import BuildFailed, Workspace, artifact_in, step
from cd4sources.commands import Command, CommandError, inherited, run
from cd4sources.targets import Repository, Target

_INHERITED = (
    "GOCACHE",
    "GOFLAGS",
    "GOINSECURE",
    "GOMODCACHE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOPRIVATE",
    "GOPROXY",
    "GOSUMDB",
    "GOTOOLCHAIN",
)
_VERSION_SECONDS = 60.0  # the first call may download a toolchain


class GoRecipe:
    """Builds the main package at the module's root."""

    def __init__(self, target: Target) -> None:
        """Keep the output's name and what stands in for what."""
        self._output = target.output or target.name
        self._replacing = [one for one in target.repositories[1:] if one.replaces]
        self.fingerprint = f"go 1 {self._output}"

    async def toolchain(self, data: Path) -> str:
        """`go version`, which names the platform too, and the flags from outside."""
        home = data / "home"
        home.mkdir(parents=True, exist_ok=True)
        command = Command(
            argv=("go", "version"),
            label="go version",
            cwd=home,
            env={**inherited("PATH"), "HOME": str(home), **_environment(data)},
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
        env = _environment(workspace.data)
        flags = await self._replaced(workspace, env) if self._replacing else ()
        out = workspace.room / "out"
        workspace.confinement.hand_over([out])
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
        await step(workspace, (*argv, "."), "go build", env, _caches(env))
        return artifact_in(out, self._output, "go build")

    async def _replaced(self, workspace: Workspace, env: dict[str, str]) -> tuple[str, ...]:
        """The flags that make go use a copied go.mod with the replacements."""
        copy = workspace.room / "go.mod"
        for name in ("go.mod", "go.sum"):
            (workspace.room / name).unlink(missing_ok=True)
            if (workspace.tree / name).exists():
                shutil.copyfile(workspace.tree / name, workspace.room / name)
        workspace.confinement.hand_over([workspace.room])
        required = await _required(workspace, copy, env)
        edits = [
            f"-replace={_module(one, required)}={workspace.siblings[one.url]}"
            for one in self._replacing
        ]
        edit = ("go", "mod", "edit", *edits, str(copy))
        await step(workspace, edit, "go mod edit", env, _caches(env))
        return (f"-modfile={copy}", "-mod=mod")


async def _required(workspace: Workspace, copy: Path, env: dict[str, str]) -> list[str]:
    """The paths of all required modules."""
    argv = ("go", "mod", "edit", "-json", str(copy))
    read = await step(workspace, argv, "go mod edit", env, _caches(env))
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


def _environment(data: Path) -> dict[str, str]:
    """Caches under the data directory unless set, and no workspace of the surroundings."""
    go = data / "go"
    return {
        "GOPATH": str(go),
        "GOCACHE": str(go / "cache"),
        "GOMODCACHE": str(go / "mod"),
        **inherited(*_INHERITED),
        "GOWORK": "off",
        "GOENV": "off",
    }


def _caches(env: dict[str, str]) -> list[Path]:
    """What go writes beside the output."""
    return [Path(env[name]) for name in ("GOPATH", "GOCACHE", "GOMODCACHE")]
