"""
A Go module: `go build` with replacements in a copied go.mod, so that nothing in the tree changes.

`-modfile` takes the copy in place of go.mod, and its neighbour in place of go.sum; `-mod=mod` lets
go complete both and ignore a vendor directory. See https://go.dev/ref/mod#build-commands
A target that asks for it has its go.mod edited in place instead, and put back.
"""

import asyncio
from pathlib import Path

from cd4sources.building import go_tool, in_place
from cd4sources.building.base import BuildFailed, Workspace, artifact_in
from cd4sources.building.go_programs import is_archive, no_program
from cd4sources.building.replacing import replace
from cd4sources.disk import remove
from cd4sources.targets import Target

_NO_PROGRAM = "Go files in "  # begins with `no`, or with `build constraints exclude all`


class GoRecipe:
    """Builds the main package at the module's root."""

    def __init__(self, target: Target) -> None:
        """Keep the output's name and what stands in for what."""
        self._output = target.output or target.name
        self._in_place = target.in_place
        self._replacing = [one for one in target.repositories[1:] if one.replaces]
        # In place or not makes no difference: both ways give the same bytes.
        self.fingerprint = f"go 2 {self._output}"

    @property
    def summary(self) -> str:
        """The command that builds."""
        where = "go.mod edited and put back" if self._in_place else "go.mod untouched"
        return f"go build -o {self._output}, {where}"

    def stamp(self) -> str:
        """Which go there is."""
        return go_tool.stamp()

    async def toolchain(self, data: Path) -> str:
        """Its version, platform and flags. Raises NoToolchain without it."""
        return await go_tool.version(data)

    async def build(self, workspace: Workspace) -> Path:
        """Build into the workspace's room; go.mod and go.sum are as committed afterwards."""
        await asyncio.to_thread(remove, go_tool.out(workspace))
        if not self._replacing:
            return await self._built(workspace)
        if self._in_place:
            async with in_place.editable(workspace) as file:
                await replace(workspace, self._replacing, file)
                return await self._built(workspace, "-mod=mod")
        await asyncio.to_thread(_copy, workspace)
        file = go_tool.copies(workspace) / "go.mod"
        await replace(workspace, self._replacing, file)
        return await self._built(workspace, f"-modfile={file}", "-mod=mod")

    async def _built(self, workspace: Workspace, *flags: str) -> Path:
        """The program, or what the module has in its place."""
        out = go_tool.out(workspace)
        # A repository around the data directory is not the program's: no version control stamps.
        words = ("-trimpath", "-buildvcs=false", *flags, "-o", str(out / self._output), ".")
        try:
            await go_tool.go(workspace, "go build", "build", *words)
        except BuildFailed as error:
            if _NO_PROGRAM not in error.tail:
                raise
            raise await no_program(workspace, self._output, flags, error) from error
        artifact = artifact_in(out, self._output, "go build")
        if await asyncio.to_thread(is_archive, artifact):
            raise await no_program(workspace, self._output, flags)
        return artifact


def _copy(workspace: Workspace) -> None:
    """Copy go.mod and go.sum to the room."""
    copies = go_tool.copies(workspace)
    remove(copies)
    copies.mkdir()
    in_place.copy_to(copies, workspace.tree)
    workspace.confinement.hand_over([copies])
