"""Removing what builds leave behind."""

import os
from pathlib import Path

import pytest

from cd4sources.disk import remove


def test_what_is_not_there_needs_no_removal(tmp_path: Path) -> None:
    """Twice is as good as once."""
    remove(tmp_path / "none")


@pytest.mark.parametrize("kind", ["fifo", "link", "file"])
def test_odd_things_are_unlinked_and_not_opened(tmp_path: Path, kind: str) -> None:
    """Opening a fifo would wait for ever; following a link would remove another's files."""
    kept = tmp_path / "kept"
    kept.mkdir()
    odd = tmp_path / "odd"
    {"fifo": os.mkfifo, "link": lambda p: p.symlink_to(kept), "file": Path.touch}[kind](odd)
    remove(odd)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_directory_nobody_may_read_is_removed(tmp_path: Path) -> None:
    """Also below another one, with a fifo in it."""
    locked = tmp_path / "tree/locked"
    (locked / "deep").mkdir(parents=True)
    os.mkfifo(locked / "deep/fifo")
    locked.chmod(0)
    remove(tmp_path / "tree")
    assert list(tmp_path.iterdir()) == []
