"""Directories in each other, more of them than a path has room for."""

import os
from pathlib import Path


def nest(place: Path, *, link: Path, locked: bool = False, depth: int = 2_100) -> None:
    """
    Make a directory with another in it, and so on; each has a symbolic link beside the next.

    Args:
        place: The outermost.
        link: Where the links lead.
        locked: Nobody may look into any.
        depth: How many.
    """
    here = os.open(place.parent, os.O_RDONLY)
    for name in [place.name, *["d"] * (depth - 1)]:
        os.mkdir(name, dir_fd=here)
        deeper = os.open(name, os.O_RDONLY, dir_fd=here)
        os.symlink(link, "link", dir_fd=deeper)
        if locked:
            os.chmod(name, 0, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
