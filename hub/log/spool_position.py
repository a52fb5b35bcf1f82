"""
How far a spool has been taken up, kept in a file beside it.

It is written without fsync and may be behind: what is taken up twice is appended once.
"""

import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Between two records: the segment, the offset in it, and the number of the record behind."""

    segment: int
    offset: int
    record: int


def remember(directory: Path, place: Place) -> None:
    """Save the place; one that cannot be saved is no reason to stop."""
    new = directory / "spool.position.new"
    try:
        text = f"{place.segment} {place.offset} {place.record}"
        new.write_text(f"{text} {crc32(text.encode())}\n", encoding="ascii")
        new.replace(directory / "spool.position")
    except OSError as error:  # the disk is full, perhaps: what was taken up frees it
        logger.warning("the spool's position was not saved", extra={"error": str(error)})
        with suppress(OSError):
            new.unlink()


def remembered(directory: Path) -> Place | None:
    """The place saved last, None when there is none that can be read."""
    with suppress(OSError, ValueError, TypeError):
        words = (directory / "spool.position").read_text(encoding="ascii").split()
        *place, checksum = words
        if int(checksum) == crc32(" ".join(place).encode()):
            return Place(*map(int, place))
    return None


def forget(directory: Path) -> None:
    """Save no place any more."""
    (directory / "spool.position").unlink(missing_ok=True)
