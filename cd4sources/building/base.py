"""What all recipes share: the workspace, the clean environment, running a step, the failure."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cd4sources.building.first_error import first_error
from cd4sources.disk import remove
from cd4sources.running.commands import (
    Command,
    CommandError,
    CommandTimeout,
    Completed,
    inherited,
    run,
)
from cd4sources.running.confinement import UNCONFINED, CannotConfine, Confinement, keep
from cd4sources.running.nursing import Nanny

_LAST_LINES = 20
_LAST_CHARACTERS = 2_000


class BuildFailed(Exception):
    """
    A version could not be built; what runs goes on running.

    The message names the step, how it ended, the first error with its file and line, and where the
    whole log is, and ends with `last_lines`, what the step said at the end; `tail` is the last
    64 KiB of that.
    """

    def __init__(
        self,
        reason: str,
        *,
        exit_code: int | None = None,
        tail: str = "",
        log: Path | None = None,
    ) -> None:
        """Compose the message of what is known."""
        last_lines = _last(tail)
        where = f"; the whole log: {log}" if log else ""
        said = f"\n{last_lines}" if last_lines else ""
        super().__init__(f"{reason}{where}{said}")
        self.exit_code = exit_code
        self.last_lines = last_lines
        self.tail = tail
        self.log = log


class BuildCancelled(BuildFailed):
    """An operator has ended the build."""


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """
    Everything one build may use.

    `room` is a directory beside the tree: the server's, with directories in it that are the
    build's. `nanny` runs its commands while it is entered.
    """

    tree: Path
    room: Path
    data: Path
    log: Path
    nanny: Nanny
    timeout_seconds: float
    environment: Mapping[str, str]
    siblings: Mapping[str, Path] = field(default_factory=dict)
    confinement: Confinement = UNCONFINED

    def prepare(self) -> None:
        """Make the directories that the environment names, and all that is its own writable."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        keep(self.room, os.geteuid())
        remove(self.temporary)
        self.confinement.hand_over(self.own)

    @property
    def own(self) -> tuple[Path, ...]:
        """The directories that the build may write."""
        return (self.tree, *self.siblings.values(), self.home, self.temporary)

    @property
    def home(self) -> Path:
        """HOME of the build."""
        return self.room / "home"

    @property
    def temporary(self) -> Path:
        """TMPDIR of the build."""
        return self.room / "tmp"


class Recipe(Protocol):
    """One way to build; its fingerprint and toolchain are part of the version's id."""

    @property
    def fingerprint(self) -> str:
        """Text that differs when the same commit would be built differently."""
        ...

    @property
    def summary(self) -> str:
        """The command that builds, for people."""
        ...

    def stamp(self) -> str:
        """
        Text that differs when the toolchain may be another one; costs a few looks at files.

        Empty: it cannot be told in that way, so that the toolchain is asked with every commit.
        """
        ...

    async def toolchain(self, data: Path) -> str:
        """Text that names the tools outside the commit. Raises BuildFailed without them."""
        ...

    async def build(self, workspace: Workspace) -> Path:
        """Build in the tree; return the artifact's path. Raises BuildFailed."""
        ...


async def step(
    workspace: Workspace,
    argv: Sequence[str],
    label: str,
    env: Mapping[str, str],
    caches: Sequence[Path] = (),
) -> Completed:
    """
    Run one command of a build in its tree; nothing that it started survives it.

    Args:
        workspace: Where.
        argv: Program and arguments.
        label: How messages call it.
        env: What the recipe adds to the clean environment.
        caches: What the step may write besides the workspace's own.

    Raises:
        BuildFailed: It ended with another status than 0, took too long, or cannot be started.
    """
    confinement = workspace.confinement
    new = [cache for cache in caches if not confinement.is_own(cache)]
    await asyncio.to_thread(confinement.hand_over, new)
    command = Command(
        argv=_sandboxed(workspace, argv, caches),
        label=label,
        cwd=workspace.tree,
        env=_clean(workspace) | dict(env),
        owner=workspace.data,
        timeout_seconds=workspace.timeout_seconds,
        log=workspace.log,
        nanny=workspace.nanny,
        confinement=confinement,
    )
    try:
        done = await run(command)
    except CommandError as error:
        tail = error.tail if isinstance(error, CommandTimeout) else ""
        raise BuildFailed(str(error), tail=tail, log=workspace.log) from error
    if done.returncode:
        first = first_error(done.tail.replace(f"{workspace.tree}/", ""))
        raise BuildFailed(
            f"{label} ended with {done.returncode}" + (f": {first}" if first else ""),
            exit_code=done.returncode,
            tail=done.tail,
            log=workspace.log,
        )
    return done


def artifact_in(directory: Path, said: str, label: str) -> Path:
    """
    The regular file inside a directory that a path names.

    Args:
        directory: What it must lie in, symbolic links followed.
        said: The path, relative to the directory.
        label: What named it.

    Raises:
        BuildFailed: There is none, or it lies outside.
    """
    root = directory.resolve()
    try:
        path = (root / said).resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise BuildFailed(
            f"{label} names {said!r}, which is not there; see its spelling"
        ) from error
    if not path.is_relative_to(root):
        raise BuildFailed(f"{label} names {said!r}, which lies outside the tree; copy it inside")
    if not path.is_file():
        raise BuildFailed(f"{label} names {said!r}, which is not a regular file; pack it into one")
    return path


def _sandboxed(
    workspace: Workspace, argv: Sequence[str], caches: Sequence[Path]
) -> tuple[str, ...]:
    try:
        return workspace.confinement.command(argv, workspace.data, (*workspace.own, *caches))
    except CannotConfine as error:
        raise BuildFailed(str(error)) from error


def _clean(workspace: Workspace) -> dict[str, str]:
    """An allow-list: a build sees no secret of the server's environment."""
    return {
        **inherited("PATH"),
        "HOME": str(workspace.home),
        "TMPDIR": str(workspace.temporary),
        "LANG": "C.UTF-8",
        **workspace.environment,
    }


def _last(tail: str) -> str:
    lines = [line.rstrip() for line in tail.splitlines() if line.strip()]
    return "\n".join(lines[-_LAST_LINES:])[-_LAST_CHARACTERS:]
