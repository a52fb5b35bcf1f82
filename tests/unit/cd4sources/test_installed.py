"""The client's versions on disk: what is kept, and what odd things found there count for."""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from cd4sources.delivery.installed import RECORD_NAME, Installed
from cd4sources.delivery.records import Artifact, Delivered

V1, V2, V3 = (f"v-00000000000{number}" for number in range(1, 4))
BYTES = b"program"


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    installed = Installed(tmp_path, keep_versions=2)
    with installed.opened():
        yield installed


def install(installed: Installed, version: str) -> Delivered:
    artifact = Artifact(name="app", size=len(BYTES), sha256=sha256(BYTES).hexdigest(), url="")
    record = Delivered(version=version, artifact=artifact)
    part = installed.incoming(record)
    part.write_bytes(BYTES)
    installed.install(record, part)
    return record


def test_a_verdict_that_cannot_be_written_holds_and_is_written_later(
    tmp_path: Path, installed: Installed
) -> None:
    """The sick version's file is dropped all the same: on a full disk that makes room."""
    install(installed, V1)
    (tmp_path / "quarantine").rmdir()
    with pytest.raises(OSError, match="No such file"):
        installed.quarantine(V1, "it crashed")
    with pytest.raises(OSError, match="No such file"):
        installed.quarantined(V1)
    assert not (tmp_path / "versions" / V1).exists()
    (tmp_path / "quarantine").mkdir()
    assert installed.quarantined(V1) == "it crashed"
    assert (tmp_path / "quarantine" / V1).read_text() == "it crashed"


def test_a_version_fetched_again_keeps_its_past(installed: Installed) -> None:
    """A repair makes it neither unproven nor short-lived."""
    installed.set_current(install(installed, V1))
    installed.set_steady(V1)
    install(installed, V1)
    current = installed.current()
    assert current
    assert current.steady
    assert current.healthy_at


def test_a_damaged_version_is_none_to_go_back_to(tmp_path: Path, installed: Installed) -> None:
    """It could not be started."""
    for version in (V1, V2):
        installed.set_current(install(installed, version))
    assert installed.before(V2)
    (tmp_path / "versions" / V1 / "app").write_bytes(b"other")
    assert installed.before(V2) is None


def test_a_version_that_was_never_healthy_goes_first(tmp_path: Path, installed: Installed) -> None:
    """However new it is: one to go back to is worth more."""
    installed.set_current(install(installed, V1))
    install(installed, V2)
    installed.set_current(install(installed, V3))
    assert {place.name for place in (tmp_path / "versions").iterdir()} == {V1, V3}


def test_a_dangling_link_among_versions_is_pruned(tmp_path: Path, installed: Installed) -> None:
    """Whoever put it there."""
    (tmp_path / "versions" / V1).symlink_to("nowhere")
    installed.set_current(install(installed, V2))
    installed.set_current(install(installed, V3))
    assert {place.name for place in (tmp_path / "versions").iterdir()} == {V2, V3}


def test_a_loop_of_links_is_no_current_version(tmp_path: Path, installed: Installed) -> None:
    """And gives way to one."""
    (tmp_path / "current").symlink_to("current")
    assert installed.current() is None
    installed.set_current(install(installed, V1))
    assert installed.current()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["directory", "fifo"])
def test_a_record_that_is_no_file_is_damaged(
    tmp_path: Path, installed: Installed, make: type[Path]
) -> None:
    """It is not waited for, and replaced."""
    record = install(installed, V1)
    installed.set_current(record)
    place = tmp_path / "versions" / V1 / RECORD_NAME
    place.unlink()
    make(place)
    assert installed.current() is None
    installed.set_current(record)
    assert installed.current()


def test_whatever_has_the_name_quarantines(tmp_path: Path, installed: Installed) -> None:
    """When in doubt, a version is not started."""
    (tmp_path / "quarantine" / V1).mkdir()
    assert installed.quarantined(V1)
    assert installed.quarantined(V2) is None
