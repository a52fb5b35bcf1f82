"""A data directory that cannot be had, and what is said about it."""

import errno
import os
from pathlib import Path

import pytest

from cd4sources.locking import unusable


@pytest.mark.parametrize(
    ("number", "step"), [(errno.EACCES, "may write"), (errno.ENOSPC, "make room")]
)
def test_the_next_step_fits_the_reason(number: int, step: str) -> None:
    """Another directory is no help where the disk is full."""
    told = str(unusable(Path("/srv/data"), OSError(number, os.strerror(number))))
    assert told.startswith("/srv/data: ")
    assert step in told
