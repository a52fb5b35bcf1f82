"""What is offered: the newest, the pinned or the one before, in memory as on disk."""

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from cd4sources import disk
from cd4sources.keeping import store
from cd4sources.keeping.store import UnknownVersion
from tests.support.serving import BUILD_SH, offers, serving, target_of
from tests.support.sources import Source


async def test_a_target_that_is_pointed_elsewhere_offers_nothing_old(
    tmp_path: Path, source: Source
) -> None:
    """The old repository's program must not go out under the new one's name."""
    data = tmp_path / "data"
    async with serving(data, target_of("app", source.path)) as server:
        assert server.follower().offer.current is not None
    async with serving(data, target_of("app", tmp_path / "away")) as server:
        assert server.follower().offer.current is None


async def test_a_version_damaged_on_disk_is_made_again(tmp_path: Path, source: Source) -> None:
    """Built once more, published once more, and whole."""
    data = tmp_path / "data"
    async with serving(data, target_of("app", source.path)) as server:
        record = server.follower().offer.current
        assert record is not None
        artifact = server.app.state.store.artifact(record)
        artifact.unlink()
        await server.look()
        assert artifact.is_file()


async def test_pinned_target_goes_on_building(tmp_path: Path, source: Source) -> None:
    """Newer versions are there at once when it is unpinned, and the pin survives a restart."""
    target = target_of("app", source.path)
    async with serving(tmp_path / "data", target) as running:
        follower = running.follower()
        first = follower.offer.current
        assert first is not None
        await follower.offer.pin(first.version)
        commit = source.commit({"words": "two"})
        await running.look()
        assert await running.words() == "one"
    async with serving(tmp_path / "data", target) as running:
        follower = await running.look()
        assert (await running.words(), follower.offer.pinned) == ("one", first.version)
        source.path.rename(tmp_path / "away")
        await follower.offer.unpin()
        assert follower.offer.current is not None
        assert follower.offer.current.lockset == (commit,)
        assert await running.words() == "two"


def full(*_: object) -> NoReturn:
    """What a full disk says."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def refuse_after(link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link is changed, then its directory cannot be written through, nor anything copied."""

    def refused(place: Path, name: str) -> None:
        disk.point(place, name)
        if place.name == link:
            monkeypatch.setattr(store, "copy_artifact", full)
            monkeypatch.setattr(store, "sync", full)
            full()

    monkeypatch.setattr(store, "point", refused)


@pytest.mark.parametrize("link", ["current", "newest"])
async def test_what_a_full_disk_took_half_of_is_offered(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    """The next look does the rest."""
    async with serving(tmp_path / "data", target_of("app", source.path)) as running:
        refuse_after(link, monkeypatch)
        commit = source.commit({"words": "two"})
        follower = await running.look()
        assert follower.failure
        monkeypatch.undo()
        await running.look()
        await offers(follower, commit)
        assert follower.failure is None


@pytest.mark.parametrize("link", ["current", "pinned"])
async def test_a_pin_that_a_full_disk_took_half_of_is_a_pin(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    """Whoever asked for it was refused; what is offered is what the disk says."""
    async with serving(tmp_path / "data", target_of("app", source.path)) as running:
        first = source.git("rev-parse", "HEAD")
        source.commit({"words": "two"})
        follower = await running.look()
        refuse_after(link, monkeypatch)
        with pytest.raises(OSError, match="is full"):
            await follower.roll_back()
        assert follower.offer.pinned
        monkeypatch.undo()
        await running.look()
        await offers(follower, first)


async def test_a_pinned_version_lost_between_lives_is_no_riddle(
    tmp_path: Path, source: Source
) -> None:
    """Nothing is offered, and everybody hears why; put back, it is offered again."""
    data, target = tmp_path / "data", target_of("app", source.path)
    async with serving(data, target) as running:
        pinned = running.follower().offer.current
        assert pinned is not None
        await running.follower().offer.pin(pinned.version)
        source.commit({"words": "two"})
        await running.look()
    place = running.app.state.store.artifact(pinned)
    place.rename(tmp_path / "away")
    async with serving(data, target) as running:
        follower = await running.look()
        assert (follower.offer.current, follower.failure is None) == (None, False)
        refused = await running.http.get("/download", params={"repo": str(source.path)})
        assert (refused.status_code, refused.json()["code"]) == (404, "pinned-missing")
        (tmp_path / "away").rename(place)
        await running.look()
        assert (await running.words(), follower.failure) == ("one", None)


async def test_roll_back_offers_what_was_before(tmp_path: Path, source: Source) -> None:
    """It stays there, whatever polls find; with nothing before, nothing changes."""
    async with serving(tmp_path / "data", target_of("app", source.path)) as running:
        follower = running.follower()
        with pytest.raises(UnknownVersion):
            await follower.roll_back()
        source.commit({"words": "two"})
        await running.look()
        await follower.roll_back()
        await running.look()
        assert await running.words() == "one"
        assert follower.offer.current
        assert follower.offer.pinned == follower.offer.current.version
        assert follower.offer.current.published_at is not None


async def test_roll_back_passes_over_versions_of_other_repositories(
    tmp_path: Path, source: Source
) -> None:
    """The target was pointed there and back."""
    other = Source(tmp_path / "other")
    other.commit({"build.sh": BUILD_SH, "words": "other"})
    target, data = target_of("app", source.path), tmp_path / "data"
    async with serving(data, target):
        pass
    async with serving(data, target_of("app", other.path)):
        pass
    source.commit({"words": "two"})
    async with serving(data, target) as running:
        assert await running.words() == "two"
        await running.follower().roll_back()
        assert await running.words() == "one"


async def test_what_a_full_disk_took_of_a_put_is_offered_at_once(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version before may be gone already."""
    async with serving(tmp_path / "data", target_of("app", source.path)) as running:
        refuse_after("newest", monkeypatch)
        commit = source.commit({"words": "two"})
        follower = await running.look()
        assert follower.failure
        await offers(follower, commit)
        assert await running.words() == "two"


async def test_a_half_done_pin_is_finished_whatever_the_sources_are(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People roll back when nothing can be built."""
    first = source.git("rev-parse", "HEAD")
    target, data = target_of("app", source.path), tmp_path / "data"
    async with serving(data, target) as running:
        source.commit({"words": "two"})
        follower = await running.look()
        before = follower.offer.current
        refuse_after("pinned", monkeypatch)
        refused = await running.http.post("/v1/targets/app/rollback")
        assert (refused.status_code, refused.json()["code"]) == (507, "not-written")
        monkeypatch.undo()
        assert follower.offer.current == before
        source.path.rename(tmp_path / "away")
        await running.look()
        await offers(follower, first)


async def test_version_that_a_client_runs_is_kept(tmp_path: Path, source: Source) -> None:
    """Whoever watches with a version holds it."""
    async with serving(
        tmp_path / "data", target_of("app", source.path), keep_versions=1
    ) as running:
        follower, store = running.follower(), running.app.state.store
        first = follower.offer.current
        assert first is not None
        follower.offer.noted(first.version)
        for number in range(2):
            source.commit({"words": str(number)})
            await running.look()
        assert [one.version for one in store.list("app")][1:] == [first.version]
