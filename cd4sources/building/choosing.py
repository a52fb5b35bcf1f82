"""Which recipe a commit asks for, by the files at its top level."""

from collections.abc import Collection

from cd4sources.building.base import BuildFailed, Recipe
from cd4sources.building.go import GoRecipe
from cd4sources.building.script import ScriptRecipe
from cd4sources.targets import Target

MARKS = ("build.sh", "go.mod")


def choose(target: Target, present: Collection[str]) -> Recipe:
    """
    The recipe for a target: its build.sh, else Go.

    Args:
        target: What is built; its words go to build.sh.
        present: Which of MARKS the commit has at its top level.

    Raises:
        BuildFailed: Neither is there, or no build.sh for the target's words; says the two ways out.
    """
    if "build.sh" in present:
        return ScriptRecipe(target)
    if "go.mod" not in present:
        raise BuildFailed(
            "nothing says how to build this: add a build.sh "
            "(`sh build.sh build`, `sh build.sh artifact` prints the path), or a go.mod"
        )
    if words := target.script_words:
        raise BuildFailed(
            f"the target's words ({words}) are for a build.sh, which this commit has not at its "
            "top level: commit one, or leave `build` and `artifact` out of the target"
        )
    return GoRecipe(target)
