"""
How a tree of sources becomes an artifact: one recipe a file, unaware of each other.

`base` holds what they share (the workspace, the clean environment, the failure); `choose` picks
the recipe by what the commit holds. Here belongs what runs commands of the repository itself;
fetching, version ids and publishing do not.
"""

from cd4sources.building.base import BuildCancelled, BuildFailed, Recipe, Workspace
from cd4sources.building.choosing import MARKS, choose

__all__ = ["MARKS", "BuildCancelled", "BuildFailed", "Recipe", "Workspace", "choose"]
