"""A small disk that is full: room is made, the message helps, and it heals by itself."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from cd4sources.building import disk_guard
from cd4sources.disk import remove
from cd4sources.following import Follower
from cd4sources.keeping.store import Store
from cd4sources.keeping.versions import Built, Record
from cd4sources.wakes import Wake
from tests.support.serving import BUILD_SH, Serving, offers, serving, target_of
from tests.support.sources import Source
from tests.support.waiting import eventually

MEBIBYTE = 1024 * 1024
LARGE = (
    f'case "$1" in build) head -c {3 * MEBIBYTE} /dev/urandom >big;; artifact) echo big;; esac\n'
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place))
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode and os.environ.get("CI") == "true":
        pytest.fail(f"CI must be able to mount: {done.stderr}")
    if done.returncode:
        pytest.skip(f"cannot mount a small disk: {done.stderr}")
    try:
        yield place
    finally:
        subprocess.run(("umount", "--lazy", str(place)), check=True)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    made = Source(tmp_path / "app")
    made.commit({"build.sh": LARGE, "words": "0"})
    return made


def fill(disk: Path, *, leave: int) -> Path:
    """Somebody else's file that takes all but some bytes."""
    usage = os.statvfs(disk)
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, usage.f_bavail * usage.f_frsize - leave)
    return ballast


def leftovers(data: Path) -> list[Path]:
    return list(data.rglob(".new-*"))


async def offered(running: Serving, commit: str) -> Follower:
    follower = running.follower()
    await offers(follower, commit)
    return follower


async def test_old_versions_go_when_the_disk_is_full(disk: Path, source: Source) -> None:
    """Each build takes 6 MB of 16 (in the tree, in the store): the oldest version makes room."""
    settings: dict[str, Any] = {"keep_versions": 10, "min_free_bytes": 0}
    async with serving(disk / "data", target_of("app", source.path), **settings) as running:
        for number in range(1, 7):
            commit = source.commit({"words": str(number)})
            await running.look()
            await offered(running, commit)
        store = running.app.state.store
        assert 2 <= len(store.list("app")) <= 4
    assert leftovers(disk) == []


async def test_room_is_made_before_a_build(disk: Path, source: Source) -> None:
    """Below the limit the oldest version goes, though everything would still fit."""
    settings: dict[str, Any] = {"keep_versions": 10, "min_free_bytes": 5 * MEBIBYTE}
    async with serving(disk / "data", target_of("app", source.path), **settings) as running:
        for number in range(1, 4):
            commit = source.commit({"words": str(number)})
            await running.look()
            await offered(running, commit)
        assert len(running.app.state.store.list("app")) == 3


async def test_full_disk_is_told_and_heals(disk: Path, source: Source) -> None:
    """What was offered stays, the message says which disk; with room again the build succeeds."""
    settings: dict[str, Any] = {"min_free_bytes": 0, "poll_interval_seconds": 0.2}
    async with serving(disk / "data", target_of("app", source.path), **settings) as running:
        follower = running.follower()
        before = follower.offer.current
        ballast = fill(disk, leave=MEBIBYTE)
        commit = source.commit({"words": "more"})
        await eventually(lambda: follower.failure and "is full" in follower.failure.message)
        assert follower.failure is not None
        assert f"the disk at {disk}" in follower.failure.message
        assert "next: free some" in follower.failure.message
        assert follower.offer.current == before
        ballast.unlink()
        await offered(running, commit)
        await eventually(lambda: follower.failure is None)
    assert leftovers(disk) == []


async def test_what_a_build_left_in_its_tree_makes_room(disk: Path, source: Source) -> None:
    """A build that filled the disk and called it success is not in the way of the next one."""
    settings: dict[str, Any] = {"min_free_bytes": 2 * MEBIBYTE, "poll_interval_seconds": 0.2}
    async with serving(disk / "data", target_of("app", source.path), **settings) as running:
        follower = running.follower()
        fills = "head -c 20000000 /dev/zero >big"
        source.commit({"build.sh": f'test "$1" = artifact || {fills}; echo big'})
        await eventually(lambda: follower.failure and follower.failure.stage == "published")
        commit = source.commit({"build.sh": BUILD_SH})
        await offered(running, commit)


async def test_too_little_room_builds_nothing(
    disk: Path, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    """Below the limit, with nothing left to remove, no build is begun in vain."""
    settings: dict[str, Any] = {"min_free_bytes": 15 * MEBIBYTE}
    fill(disk, leave=10 * MEBIBYTE)
    async with serving(disk / "data", target_of("app", source.path), **settings) as running:
        failure = running.follower().failure
        assert failure is not None
        assert "lower keep_versions or min_free_bytes" in failure.message
        (record,) = running.app.state.builds.list(["app"], limit=1)
        assert record.state == "failed"
    assert "disk full, room made" not in caplog.messages


async def test_gos_cache_makes_room_for_the_only_target_at_work(disk: Path, source: Source) -> None:
    """It is of all targets, and goes when nobody else uses it."""
    data = disk / "data"
    (data / "go").mkdir(parents=True)
    (data / "go" / "cached").write_bytes(bytes(8 * MEBIBYTE))
    commit = source.commit({"build.sh": LARGE.replace(str(3 * MEBIBYTE), str(5 * MEBIBYTE))})
    async with serving(data, target_of("app", source.path), min_free_bytes=0) as running:
        await offers(running.follower(), commit)
        assert not (data / "go").exists()


async def test_a_removal_under_way_keeps_others_from_work_also_when_it_was_cancelled(
    disk: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's tree goes away under a build."""
    begun, gate = Event(), Event()

    def slowly(path: Path) -> None:
        begun.set()
        assert gate.wait(20)
        remove(path)

    async with serving(disk / "data", target_of("app", source.path), min_free_bytes=0) as running:
        monkeypatch.setattr(disk_guard, "remove", slowly)
        follower = running.follower()
        freeing = asyncio.create_task(follower._guard._make_room(()))
        await eventually(begun.is_set)
        freeing.cancel()
        taking = asyncio.create_task(follower._workshop._caches.take("other"))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not taking.done()
        gate.set()
        await taking
        assert freeing.cancelled()


@pytest.mark.parametrize("when", ["building", "publishing"])
async def test_what_a_target_at_work_has_is_spared(
    disk: Path, source: Source, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Another target that makes room takes neither its tree nor the artifact in it."""
    gate, at_gate, publish = Event(), Event(), Store.publish

    def slowly(store: Store, built: Built) -> Record:
        at_gate.set()
        assert gate.wait(20)
        return publish(store, built)

    data, targets = disk / "data", (target_of("one", source.path), target_of("two", source.path))
    async with serving(data, *targets, min_free_bytes=0) as running:
        wait = f"touch {disk}/at; while ! test -e {disk}/go; do sleep 0.01; done"
        script = f'test "$1" = artifact || {{ {wait}; }}\n{BUILD_SH}'
        commit = source.commit({"build.sh": script if when == "building" else BUILD_SH})
        if when == "publishing":
            monkeypatch.setattr(Store, "publish", slowly)
        running.follower("one").wake(Wake("poll"))
        await eventually(lambda: at_gate.is_set() or (disk / "at").exists())
        builds = running.app.state.builds
        [build] = builds.list(["one"], limit=1)
        await running.follower("two")._guard._make_room(())
        assert not (data / "trees" / "two").exists()
        gate.set()
        (disk / "go").touch()
        await offers(running.follower("one"), commit)
        assert [one.id for one in builds.list(["one"], limit=1)] == [build.id]


async def test_ordinary_failure_is_not_the_disks(disk: Path, source: Source) -> None:
    """With room enough a failed build costs no version and no cache."""
    async with serving(disk / "data", target_of("app", source.path), min_free_bytes=0) as running:
        source.commit({"build.sh": "exit 7\n"})
        follower = await running.look()
        assert follower.failure is not None
        assert "ended with 7" in follower.failure.message
        assert (disk / "data" / "trees" / "app").is_dir()
        source.commit({"build.sh": BUILD_SH})


async def test_a_rebuild_that_finds_no_room_is_not_forgotten(disk: Path, source: Source) -> None:
    """It was asked for, and is made when there is room."""
    settings: dict[str, Any] = {"min_free_bytes": 5 * MEBIBYTE, "poll_interval_seconds": 0.2}
    async with serving(disk / "data", target_of("app", source.path), **settings) as running:
        follower, builds = running.follower(), running.app.state.builds
        [first] = builds.list(["app"], limit=9)
        ballast = fill(disk, leave=MEBIBYTE)
        follower.rebuild()
        await eventually(lambda: follower.failure and "is full" in follower.failure.message)
        ballast.unlink()
        await eventually(lambda: follower.failure is None)
        [newest] = builds.list(["app"], limit=1)
        assert (newest.id != first.id, newest.state) == (True, "ok")


async def test_a_full_disk_costs_no_mirror(disk: Path, source: Source) -> None:
    """Git could not write: what it has is as good as before, and is not fetched again."""
    settings: dict[str, Any] = {"min_free_bytes": 0, "poll_interval_seconds": 0.2}
    async with serving(disk / "data", target_of("app", source.path), **settings) as running:
        mark = disk / "data/mirrors/app/0/mark"
        mark.touch()
        ballast = fill(disk, leave=MEBIBYTE)
        commit = source.commit({"build.sh": "touch app; echo app\n", "words": "more\n" * MEBIBYTE})
        follower = running.follower()
        await eventually(lambda: follower.failure and "is full" in follower.failure.message)
        ballast.unlink()
        await offered(running, commit)
        assert mark.exists()
