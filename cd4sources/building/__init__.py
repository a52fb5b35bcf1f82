"""
How a tree of sources becomes an artifact: one recipe a file, unaware of each other.

`base` holds what they share (the workspace, the clean environment, the failure); `choose` picks
the recipe by what the commit holds. Of `go`, `go_tool` runs the command, `replacing` writes what
stands in for what, `in_place` edits a go.mod that is put back, and `go_programs` helps a module
without a program at its root. `workshop` has one target's trees and rooms, `making` makes a
version there and `builds` keeps on disk that and how; `lanes` and `disk_guard` see that there is
room for it. Fetching, version ids and publishing do not belong here.
"""

from cd4sources.building.base import BuildCancelled, BuildFailed, Recipe, Workspace
from cd4sources.building.choosing import MARKS, choose
from cd4sources.building.go_tool import NoToolchain

__all__ = ["MARKS", "BuildCancelled", "BuildFailed", "NoToolchain", "Recipe", "Workspace", "choose"]
