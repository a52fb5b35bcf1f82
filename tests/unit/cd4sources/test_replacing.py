"""What go.mod requires, read without asking go."""

from pathlib import Path

import pytest

from cd4sources.building import BuildFailed
from cd4sources.building.replacing import required_in

BLANK = "\n" * 200_000


def test_a_hostile_file_is_read_in_no_time(tmp_path: Path) -> None:
    """It is read in our own process, which serves others meanwhile."""
    file = tmp_path / "go.mod"
    file.write_text(f"module m\n\nrequire e.com/l v1.0.0\n{BLANK}// end\n")
    assert required_in(file) == ["e.com/l"]


def test_a_file_without_bounds_is_refused(tmp_path: Path) -> None:
    """Nobody requires so much."""
    file = tmp_path / "go.mod"
    file.write_text("x" * (1024 * 1024 + 1))
    with pytest.raises(BuildFailed, match=r"go\.mod is longer"):
        required_in(file)
