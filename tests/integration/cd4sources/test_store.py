"""The store: what is on disk after publishing, after a crash, and after too many versions."""

import os
import socket
from datetime import timedelta
from pathlib import Path

import pytest

from cd4sources.keeping.store import Store, UnknownVersion
from cd4sources.keeping.versions import Built, LockedRepository, Record


def built(tmp_path: Path, number: int, text: str = "program") -> Built:
    artifact = tmp_path / f"artifact-{number}"
    artifact.write_text(text)
    return Built(
        version=f"v-{number:012x}",
        target="app",
        repositories=(LockedRepository(url="/srv/app", ref="HEAD", commit="a" * 40),),
        name="app",
        path=artifact,
        url="/download?repo=%2Fsrv%2Fapp",
        log=tmp_path / "no.log",
        traceparent=None,
    )


def open_store(tmp_path: Path, keep_versions: int = 5) -> Store:
    return Store(tmp_path / "data", keep_versions=keep_versions)


def names(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "data" / "versions" / "app").iterdir())


def test_published_version_is_current_for_a_later_life(tmp_path: Path) -> None:
    """Another store on the same directory knows what the first one published."""
    record = open_store(tmp_path).publish(built(tmp_path, 1))
    later = open_store(tmp_path)
    assert later.current("app") == record
    assert later.artifact(record).read_text() == "program"
    assert (record.artifact.size, later.artifact(record).stat().st_mode & 0o777) == (7, 0o755)


def test_current_is_a_relative_link(tmp_path: Path) -> None:
    """The data directory can be moved, and a person can see what is current."""
    open_store(tmp_path).publish(built(tmp_path, 1))
    link = tmp_path / "data" / "versions" / "app" / "current"
    assert str(link.readlink()) == "v-000000000001"


def test_record_survives_its_json(tmp_path: Path) -> None:
    """What /watch answers reads back as the same value."""
    record = open_store(tmp_path).publish(built(tmp_path, 1))
    assert Record.model_validate_json(record.model_dump_json()) == record


def test_leftovers_of_a_crash_are_ignored_and_removed(tmp_path: Path) -> None:
    """Half-written directories and links are no versions, and go away when the store is opened."""
    open_store(tmp_path).publish(built(tmp_path, 1))
    directory = tmp_path / "data" / "versions" / "app"
    (directory / ".new-half").mkdir()
    (directory / ".new-half" / "app").write_text("hal")
    (directory / ".new-link").symlink_to("v-000000000009")
    assert len(open_store(tmp_path).list("app")) == 1
    assert names(tmp_path) == ["current", "history", "newest", "v-000000000001"]


@pytest.mark.parametrize("damage", ["record", "artifact", "short"])
def test_damaged_version_is_not_offered(tmp_path: Path, damage: str) -> None:
    """A version that is not whole is as good as absent, and publishing it again repairs it."""
    store = open_store(tmp_path)
    record = store.publish(built(tmp_path, 1))
    match damage:
        case "record":
            store.artifact(record).with_name("record.json").write_text("{")
        case "artifact":
            store.artifact(record).unlink()
        case _:
            store.artifact(record).write_text("prog")
    assert store.current("app") is None
    again = store.publish(built(tmp_path, 1))
    assert store.current("app") == again
    assert names(tmp_path) == ["current", "history", "newest", "v-000000000001"]


def test_dangling_current_is_none(tmp_path: Path) -> None:
    """A link to nowhere, or to something that is no version, offers nothing."""
    directory = tmp_path / "data" / "versions" / "app"
    directory.mkdir(parents=True)
    (directory / "current").symlink_to("../../../etc")
    assert open_store(tmp_path).current("app") is None


def test_failed_publish_leaves_the_current_version(tmp_path: Path) -> None:
    """An artifact that cannot be read changes nothing and leaves nothing."""
    store = open_store(tmp_path)
    record = store.publish(built(tmp_path, 1))
    broken = built(tmp_path, 2)
    broken.path.unlink()
    with pytest.raises(FileNotFoundError):
        store.publish(broken)
    assert store.current("app") == record
    assert names(tmp_path) == ["current", "history", "newest", "v-000000000001"]


def test_oldest_versions_are_removed(tmp_path: Path) -> None:
    """As many versions are kept as configured, the newest ones."""
    store = open_store(tmp_path, keep_versions=2)
    for number in (3, 1, 2):
        store.publish(built(tmp_path, number))
    assert names(tmp_path) == ["current", "history", "newest", "v-000000000001", "v-000000000002"]


def test_current_version_is_never_removed(tmp_path: Path) -> None:
    """Going back to an old version keeps it when newer ones are more than enough."""
    store = open_store(tmp_path, keep_versions=1)
    store.publish(built(tmp_path, 1))
    store.publish(built(tmp_path, 2))
    assert names(tmp_path) == ["current", "history", "newest", "v-000000000002"]


def test_going_back_needs_no_build(tmp_path: Path) -> None:
    """A version that is kept becomes the current one by its link alone."""
    store = open_store(tmp_path)
    first = store.publish(built(tmp_path, 1))
    store.publish(built(tmp_path, 2))
    store.offer("app", first.version)
    assert open_store(tmp_path).current("app") == store.get("app", first.version)


def test_current_tells_since_when(tmp_path: Path) -> None:
    """`published_at` is of the current version alone, and survives the process."""
    store = open_store(tmp_path)
    first = store.publish(built(tmp_path, 1))
    assert first.published_at is not None
    second = store.publish(built(tmp_path, 2))
    shown = [one.published_at for one in open_store(tmp_path).list("app")]
    assert shown == [second.published_at, None]


def test_pinned_version_stays_current(tmp_path: Path) -> None:
    """Newer versions are kept but not offered, also by a later life; unpinned, the newest is."""
    store = open_store(tmp_path, keep_versions=1)
    first = store.publish(built(tmp_path, 1))
    store.pin("app", first.version)
    second = store.publish(built(tmp_path, 2))
    later = open_store(tmp_path, keep_versions=1)
    assert later.current("app") == store.get("app", first.version)
    assert (later.pinned("app"), later.is_offered("app", second.version)) == (first.version, True)
    assert names(tmp_path) == [
        "current",
        "history",
        "newest",
        "pinned",
        first.version,
        second.version,
    ]
    assert later.unpin("app") == later.get("app", second.version)
    assert later.pinned("app") == ""


def test_unknown_version_cannot_be_pinned(tmp_path: Path) -> None:
    """Nothing changes then."""
    store = open_store(tmp_path)
    store.publish(built(tmp_path, 1))
    with pytest.raises(UnknownVersion, match="not kept here"):
        store.pin("app", "v-000000000009")
    assert store.pinned("app") == ""


def test_previous_is_what_was_current_before(tmp_path: Path) -> None:
    """By when it was offered, not by when it was built; each step leads further back."""
    store = open_store(tmp_path)
    for number in (1, 2, 3):
        store.publish(built(tmp_path, number))
    store.offer("app", "v-000000000001")
    found = []
    while previous := store.previous("app"):
        store.pin("app", previous.version)
        found.append(previous.version)
    assert found == ["v-000000000003", "v-000000000002"]


def offer_three(store: Store, tmp_path: Path) -> list[str]:
    return [store.publish(built(tmp_path, number)).version for number in (1, 2, 3)]


def go_back(store: Store) -> str:
    previous = store.previous("app")
    assert previous is not None
    return store.pin("app", previous.version).version


def test_going_back_never_leads_to_what_was_left_behind(tmp_path: Path) -> None:
    """3 is bad, so 2 is pinned; 4 is to mend it and is bad, too: before 4, 2 was offered."""
    store = open_store(tmp_path)
    _, two, _ = offer_three(store, tmp_path)
    assert go_back(store) == two
    store.publish(built(tmp_path, 4))
    store.unpin("app")
    assert go_back(store) == two
    assert go_back(open_store(tmp_path)) == "v-000000000001"


def test_what_was_not_offered_yet_is_newer_than_what_was(tmp_path: Path) -> None:
    """A version built while another one was pinned is pinned: that one was before it."""
    store = open_store(tmp_path)
    _, two, _ = offer_three(store, tmp_path)
    store.pin("app", two)
    store.pin("app", store.publish(built(tmp_path, 4)).version)
    assert go_back(store) == two


@pytest.mark.parametrize("text", [None, "", "../..\n\xff"], ids=["none", "empty", "odd"])
def test_without_a_history_the_order_is_that_of_the_builds(
    tmp_path: Path, text: str | None
) -> None:
    """Nobody wrote it down, or the file is damaged."""
    store = open_store(tmp_path)
    _, two, _ = offer_three(store, tmp_path)
    file = tmp_path / "data" / "versions" / "app" / "history"
    file.unlink()
    if text is not None:
        file.write_text(text, encoding="latin-1")
    assert go_back(store) == two


def test_history_names_what_is_kept(tmp_path: Path) -> None:
    """It does not grow."""
    store = open_store(tmp_path, keep_versions=1)
    for _ in range(3):
        offer_three(store, tmp_path)
    lines = (tmp_path / "data" / "versions" / "app" / "history").read_text().splitlines()
    assert lines == ["v-000000000002", "v-000000000003"]


def test_offered_versions_are_kept_longer(tmp_path: Path) -> None:
    """The sources went back to 1: there one wants to be able to go back to, not to 2."""
    store = open_store(tmp_path, keep_versions=2)
    one, _ = (store.publish(built(tmp_path, number)).version for number in (1, 2))
    store.offer("app", one)
    store.publish(built(tmp_path, 3))
    assert go_back(store) == one


def as_by_a_clock_ahead(store: Store, version: str) -> Record:
    """A version published as if an hour later; the clock is put right after it."""
    record = store.get("app", version) or pytest.fail("not there")
    later = record.built_at + timedelta(hours=1)
    directory = store.artifact(record).parent
    text = record.model_copy(update={"built_at": later}).model_dump_json()
    (directory / "record.json").write_text(text)
    os.utime(directory, (later.timestamp(),) * 2)
    os.utime(directory.with_name("current"), (later.timestamp(),) * 2, follow_symlinks=False)
    return store.get("app", version) or pytest.fail("not there")


def test_a_clock_that_was_ahead_changes_no_order(tmp_path: Path) -> None:
    """What is built and offered after it was put right is newer all the same."""
    store = open_store(tmp_path, keep_versions=3)
    offer_three(store, tmp_path)
    three = as_by_a_clock_ahead(store, "v-000000000003")
    four, five = (store.publish(built(tmp_path, number)) for number in (4, 5))
    shown = [one.version for one in store.list("app")]
    assert shown == [five.version, four.version, three.version]
    assert three.published_at < four.published_at < five.published_at  # type: ignore[operator]
    assert go_back(store) == four.version


def test_a_link_in_place_of_an_artifact_is_damage(tmp_path: Path) -> None:
    """Nothing is sent of it: the version counts as absent, so that it is made again."""
    store = open_store(tmp_path)
    artifact = store.artifact(store.publish(built(tmp_path, 1)))
    artifact.rename(artifact.with_name("moved"))
    artifact.symlink_to("moved")
    assert store.current("app") is None


def test_running_version_is_kept(tmp_path: Path) -> None:
    """What a client runs can be downloaded again, whatever else is removed."""
    store = open_store(tmp_path, keep_versions=1)
    first = store.publish(built(tmp_path, 1))
    store.noted("app", first.version)
    store.publish(built(tmp_path, 2))
    store.publish(built(tmp_path, 3))
    assert names(tmp_path) == ["current", "history", "newest", first.version, "v-000000000003"]


def test_bytes_are_bounded(tmp_path: Path) -> None:
    """Large artifacts leave before there are many."""
    store = Store(tmp_path / "data", keep_versions=5, keep_bytes=20)
    for number in range(1, 5):
        store.publish(built(tmp_path, number, "ten bytes."))
    assert names(tmp_path) == ["current", "history", "newest", "v-000000000003", "v-000000000004"]


@pytest.mark.parametrize("kind", ["fifo", "link", "directory", "socket"])
def test_only_a_regular_file_is_published(tmp_path: Path, kind: str) -> None:
    """What a build put in the artifact's place is refused at once, and leaves nothing."""
    odd = built(tmp_path, 1)
    odd.path.unlink()
    (tmp_path / "secret").touch()
    match kind:
        case "fifo":
            os.mkfifo(odd.path)
        case "link":
            odd.path.symlink_to(tmp_path / "secret")
        case "directory":
            odd.path.mkdir()
        case _:
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(str(odd.path))
    with pytest.raises(OSError, match=r"regular|symbolic|directory|such device"):
        open_store(tmp_path).publish(odd)
    assert names(tmp_path) == []


def test_setuid_is_not_taken_over(tmp_path: Path) -> None:
    """Whoever downloads gets a program, not somebody's rights."""
    odd = built(tmp_path, 1)
    odd.path.chmod(0o6777)
    store = open_store(tmp_path)
    assert store.artifact(store.publish(odd)).stat().st_mode & 0o7777 == 0o755


def test_what_a_crash_kept_too_many_is_removed_when_it_is_offered_again(tmp_path: Path) -> None:
    """Killed before the newest was named: the version still is to be offered, and the old to go."""
    store = open_store(tmp_path, keep_versions=1)
    store.publish(built(tmp_path, 1))
    open_store(tmp_path, keep_versions=2).publish(built(tmp_path, 2))
    newest = tmp_path / "data" / "versions" / "app" / "newest"
    newest.unlink()
    newest.symlink_to("v-000000000001")
    assert not store.is_offered("app", "v-000000000002")
    store.offer("app", "v-000000000002")
    assert names(tmp_path) == ["current", "history", "newest", "v-000000000002"]
