"""Removing what builds leave behind, and putting one directory in another's place."""

import os
import resource
import threading
from pathlib import Path

import pytest

from cd4sources import disk
from cd4sources.disk import permit, put, remove
from tests.support.nesting import nest


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


@pytest.mark.parametrize("locked", [False, True])
def test_directories_however_deep_are_removed(tmp_path: Path, *, locked: bool) -> None:
    """A build may nest more of them than a path has room for, or Python has frames."""
    (tmp_path / "kept").mkdir()
    nest(tmp_path / "tree", link=tmp_path / "kept", locked=locked)
    remove(tmp_path / "tree")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_deep_directories_need_few_descriptors(tmp_path: Path) -> None:
    """A server has others in use."""
    nest(tmp_path / "tree", link=tmp_path, depth=400)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (len([*Path("/proc/self/fd").iterdir()]) + 150, hard)
    )
    try:
        remove(tmp_path / "tree")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def _made(directory: Path, text: str) -> Path:
    directory.mkdir()
    (directory / "file").write_text(text)
    return directory


def test_who_looks_finds_the_old_directory_or_the_new_one(tmp_path: Path) -> None:
    """Two names are exchanged in one step: there is no moment with neither."""
    place, fresh = _made(tmp_path / "place", "1"), _made(tmp_path / "fresh", "2")
    seen, ended = set(), threading.Event()

    def look() -> None:
        while not ended.is_set():
            seen.add((place / "file").exists())

    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(500):
        put(fresh, place)
    ended.set()
    looking.join()
    assert seen == {True}


@pytest.mark.parametrize("can_exchange", [True, False])
def test_what_was_there_gets_the_other_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, can_exchange: bool
) -> None:
    """Also on a file system that cannot exchange two names."""
    if not can_exchange:
        monkeypatch.setattr(disk, "_exchanged", lambda *_: False)
    place, fresh = _made(tmp_path / "place", "1"), _made(tmp_path / "fresh", "2")
    put(fresh, place)
    assert [(one / "file").read_text() for one in (place, fresh)] == ["2", "1"]
    assert len(list(tmp_path.iterdir())) == 2


def test_the_first_one_is_only_renamed(tmp_path: Path) -> None:
    """Nothing was there: nothing is left under the other name."""
    put(_made(tmp_path / "fresh", "2"), tmp_path / "place")
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_names_that_cannot_be_exchanged_stay_as_they_are(tmp_path: Path) -> None:
    """A refusal is no reason for the way that has a moment with neither."""
    place = _made(tmp_path / "place", "1")
    with pytest.raises(FileNotFoundError):
        put(tmp_path / "none", place)
    assert (place / "file").read_text() == "1"


def test_what_was_there_stays_when_the_new_one_cannot_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on a file system that cannot exchange two names."""
    monkeypatch.setattr(disk, "_exchanged", lambda *_: False)
    place = _made(tmp_path / "place", "1")
    with pytest.raises(FileNotFoundError):
        put(tmp_path / "none", place)
    assert (place / "file").read_text() == "1"


def test_permissions_are_not_changed_through_a_link(tmp_path: Path) -> None:
    """A build could put one there to open a directory of another's."""
    other = tmp_path / "other"
    other.mkdir(mode=0o711)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/link").symlink_to(other)
    with pytest.raises(NotADirectoryError):
        permit(tmp_path / "tree/link", 0o777)
    remove(tmp_path / "tree")
    assert other.stat().st_mode & 0o777 == 0o711
