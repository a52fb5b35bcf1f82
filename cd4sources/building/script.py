"""The repository's own build.sh: `sh build.sh build`, then `sh build.sh artifact`."""

import platform
from pathlib import Path

from cd4sources.building.base import BuildFailed, Workspace, artifact_in, step
from cd4sources.targets import Target


class ScriptRecipe:
    """Runs build.sh with the target's words; its last line of output names the artifact."""

    def __init__(self, target: Target) -> None:
        """Keep the words."""
        self._build = target.build
        self._artifact = target.artifact
        self.fingerprint = f"script 1 {target.build} {target.artifact} {target.output}"

    @property
    def summary(self) -> str:
        """The command that builds."""
        return _label(self._build)

    def stamp(self) -> str:
        """None: what build.sh uses, only build.sh knows."""
        return ""

    async def toolchain(self, data: Path) -> str:  # noqa: ARG002 -- other recipes ask a tool
        """The machine."""
        return f"{platform.system()} {platform.machine()}"

    async def build(self, workspace: Workspace) -> Path:
        """Build, then ask for the artifact."""
        await step(workspace, ("sh", "build.sh", *self._build), _label(self._build), {})
        label = _label(self._artifact)
        done = await step(workspace, ("sh", "build.sh", *self._artifact), label, {})
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        if not lines:
            raise BuildFailed(
                f"{label} printed nothing; its last line must be the artifact's path",
                log=workspace.log,
            )
        return artifact_in(workspace.tree, lines[-1], label)


def _label(words: tuple[str, ...]) -> str:
    return " ".join(("sh build.sh", *words))
