"""What git leaves in a mirror: locks of one that was killed, and too many files of the others."""

import os
from pathlib import Path

from cd4sources.disk import remove

# A fetch that brings little leaves every object in a file of its own, one that brings more a pack.
# git itself packs at 6,700 and 50; a mirror's one reader gains more by fewer files than it loses.
_MOST_LOOSE = 2_000
_MOST_PACKS = 20
_SAMPLE = "17"  # as git does: names are evenly spread over 256 directories, so one tells
_DIRECTORIES = 256


def drop_leftovers(mirror: Path) -> None:
    """
    Remove the locks, half-written files and marks of a git that was killed or took too long.

    Only for a mirror in which no git is at work now.
    """
    for directory, names, files in os.walk(mirror):
        for name in (*names, *files):
            if name.startswith("tmp_") or name.endswith((".lock", ".keep")) or name == "gc.pid":
                remove(Path(directory, name))


def needs_packing(mirror: Path) -> bool:
    """Tell whether a mirror has so many files that a fetch and a checkout take longer."""
    objects = mirror / "objects"
    loose = sum(1 for _ in objects.glob(f"{_SAMPLE}/*")) * _DIRECTORIES
    packs = sum(1 for _ in objects.glob("pack/*.pack"))
    return loose > _MOST_LOOSE or packs > _MOST_PACKS
