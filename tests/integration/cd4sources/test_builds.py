"""Build records on disk: what a later life knows of what was built."""

import time
from pathlib import Path

import pytest

from cd4sources.building.builds import BuildRecord, Builds
from cd4sources.keeping.versions import LockedRepository

LOCKED = (LockedRepository(url="/srv/app", ref="HEAD", commit="a" * 40),)


def open_builds(tmp_path: Path, keep_builds: int = 50) -> Builds:
    return Builds(tmp_path, keep_builds=keep_builds)


def begin(builds: Builds, target: str = "app") -> BuildRecord:
    return builds.begin(target, "v-1", LOCKED, reason="push", traceparent=None)


def test_ended_build_is_known_to_a_later_life(tmp_path: Path) -> None:
    """With its outcome, its commits and its log."""
    builds = open_builds(tmp_path)
    record = begin(builds)
    builds.log(record).write_text("words")
    ended = builds.end(record, "failed", exit_code=7, message="no such header")
    later = open_builds(tmp_path)
    assert later.get(record.id) == ended
    assert later.read_log(ended, 2, 100) == b"rds"
    assert (ended.state, ended.exit_code, ended.repositories) == ("failed", 7, LOCKED)


def test_killed_build_is_interrupted(tmp_path: Path) -> None:
    """A later life does not believe that what it does not run is running."""
    builds = open_builds(tmp_path)
    record = begin(builds)
    found = builds.get(record.id)
    assert found is not None
    assert (found.state, builds.is_running(record.id)) == ("running", True)
    (after,) = open_builds(tmp_path).list(["app"], limit=10)
    assert (after.id, after.state) == (record.id, "interrupted")


def test_ids_grow_also_when_the_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a life, and from one life to the next."""
    first = begin(open_builds(tmp_path))
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
    builds = open_builds(tmp_path)
    ids = [first.id, *(begin(builds).id for _ in range(3))]
    assert ids == sorted(set(ids))


def test_oldest_builds_are_removed(tmp_path: Path) -> None:
    """As many as configured are kept, of each target."""
    builds = open_builds(tmp_path, keep_builds=2)
    other = begin(builds, "other")
    made = [begin(builds).id for _ in range(4)]
    assert [one.id for one in builds.list(["app"], limit=10)] == [made[3], made[2]]
    assert builds.get(other.id) is not None
    assert builds.get(made[0]) is None


def test_newest_come_first_over_all_targets(tmp_path: Path) -> None:
    """A list is bounded, and the bound leaves the oldest out."""
    builds = open_builds(tmp_path)
    made = [begin(builds, target).id for target in ("a", "b", "a", "b")]
    assert [one.id for one in builds.list(["a", "b"], limit=3)] == made[:0:-1]


def test_odd_files_are_no_builds(tmp_path: Path) -> None:
    """Half a record, a strange name, a path: none is found, none is an error."""
    builds = open_builds(tmp_path)
    record = begin(builds)
    (builds.log(record).parent / "record.json").write_text("{")
    (tmp_path / "builds" / "app" / "b-odd").mkdir()
    assert builds.list(["app"], limit=10) == []
    assert [builds.get(name) for name in (record.id, "b-odd", "../app")] == [None] * 3


def test_what_a_kill_left_half_written_is_removed(tmp_path: Path) -> None:
    """A later life has the record as it was before."""
    builds = open_builds(tmp_path)
    record = begin(builds)
    half = builds.log(record).with_name(".new-half")
    half.write_text('{"id')
    assert open_builds(tmp_path).get(record.id) is not None
    assert not half.exists()
