"""Removing what is on disk, whatever state it is in."""

import os
import shutil
from pathlib import Path


def remove(path: Path) -> None:
    """Remove a file or a directory, also one that a build made read-only."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        for directory, _, _ in os.walk(path):
            Path(directory).chmod(0o700)
        shutil.rmtree(path)
