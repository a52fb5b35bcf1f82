"""Whether a disk takes another delivery: a full one may still let what is there be written over."""

import os
from pathlib import Path

DELIVERY_BYTES = 64 * 1024  # a plausible one; most are much smaller


def prove_room(directory: Path) -> None:
    """
    Write and sync a file of a delivery's size, and remove it; blocks.

    Raises:
        OSError: the disk does not take it.
    """
    probe = directory / "room.probe"
    try:
        with probe.open("wb") as file:
            file.write(b"\0" * DELIVERY_BYTES)
            file.flush()
            os.fsync(file.fileno())
    finally:
        probe.unlink(missing_ok=True)
