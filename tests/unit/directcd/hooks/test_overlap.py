"""A secret's file while it is rotated: every state it can be left in goes on from there."""

from pathlib import Path

import pytest

from directcd.errors import ConfigError
from directcd.hooks.overlap import Overlap, alone


@pytest.fixture
def overlap(tmp_path: Path) -> Overlap:
    """One that has not begun."""
    (tmp_path / "webhook").write_text("old\n")
    (tmp_path / "webhook").chmod(0o640)
    return Overlap(tmp_path / "webhook")


def test_old_and_new_stand_beside_each_other_until_it_ends(overlap: Overlap) -> None:
    """Whoever could read the file can read both."""
    overlap.begin()
    assert (overlap.old(), overlap.new()) == ("old", "old")
    overlap.advance()
    assert overlap.old() == "old"
    assert len(overlap.new()) == 64
    assert {path.stat().st_mode & 0o777 for path in (overlap.file, overlap.previous)} == {0o640}
    overlap.end()
    assert not overlap.is_under_way


def test_once_more_makes_no_third_secret(overlap: Overlap) -> None:
    """What was begun is gone on with."""
    overlap.begin()
    overlap.advance()
    new = overlap.new()
    overlap.begin()
    overlap.advance()
    assert (overlap.old(), overlap.new()) == ("old", new)


def test_what_is_put_back_leaves_the_old_secret_alone(overlap: Overlap) -> None:
    """And no other file."""
    overlap.begin()
    overlap.advance()
    overlap.put_back()
    assert overlap.new() == "old"
    assert [path.name for path in overlap.file.parent.iterdir()] == ["webhook"]


def test_two_rotations_at_once_are_refused(overlap: Overlap) -> None:
    """The first one goes on."""
    with alone(overlap.file):
        said = "another `directcd hook rotate` is at work"
        with pytest.raises(ConfigError, match=said), alone(overlap.file):
            pass
    with alone(overlap.file):
        pass
