"""What a client takes from servers, and how it gets it."""

import errno
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cd4sources.installed import Installed
from cd4sources.signing import new_private_key, public_line, sign, statement
from tests.integration.cd4sources.clients import V1, V2, current, running, settings
from tests.integration.cd4sources.peers import HubPeer, ServerPeer, serving
from tests.integration.cd4sources.programs import Journal, program
from tests.support.waiting import eventually


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


@pytest.fixture
async def server() -> AsyncIterator[ServerPeer]:
    async with serving(ServerPeer()) as peer:
        yield peer


def break_off(server: ServerPeer, after: int) -> None:
    """Have downloads end too early."""
    server.claims_whole_length = True
    server.spoil = lambda text: text[:after]


def parts(data: Path) -> list[Path]:
    return list((data / "incoming").glob("*.part"))


async def test_a_broken_download_goes_on_where_it_ended(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """Only the rest is sent, and nothing is left over in the end."""
    server.publish(V1, program(journal.path))
    break_off(server, 50)
    async with running(settings(tmp_path, server.url)):
        await eventually(lambda: len(server.asked("GET", "/download")) >= 2)
        server.spoil = bytes
        await eventually(lambda: current(tmp_path) == V1)
    assert server.asked("GET", "/download")[-1].headers["range"] == "bytes=50-"
    assert list((tmp_path / "incoming").iterdir()) == []


async def test_a_download_goes_on_after_a_restart_from_another_server(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """The same bytes are the same bytes, whoever sends them."""
    server.publish(V1, program(journal.path))
    break_off(server, 50)
    async with running(settings(tmp_path, server.url)):
        await eventually(lambda: parts(tmp_path) and parts(tmp_path)[0].stat().st_size == 50)
    assert parts(tmp_path)[0].stat().st_mode & 0o777 == 0o600
    async with serving(ServerPeer()) as other:
        other.publish(V1, program(journal.path))
        async with running(settings(tmp_path, other.url)):
            await eventually(lambda: current(tmp_path) == V1)
        assert other.asked("GET", "/download")[0].headers["range"] == "bytes=50-"


async def test_a_server_without_ranges_sends_the_whole(
    tmp_path: Path, journal: Journal, server: ServerPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """200 in answer to a range: what was here is not prefixed to it."""
    server.publish(V1, program(journal.path))
    server.knows_ranges = False
    break_off(server, 50)
    async with running(settings(tmp_path, server.url)):
        await eventually(lambda: len(server.asked("GET", "/download")) >= 2)
        server.spoil = bytes
        await eventually(lambda: current(tmp_path) == V1)
    assert "promised" not in str([vars(record) for record in caplog.records])


async def test_wrong_bytes_are_not_built_upon(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """A beginning that turns out to be wrong costs one attempt more."""
    server.publish(V1, program(journal.path))
    server.claims_whole_length = True
    server.spoil = lambda text: b"x" * 50
    async with running(settings(tmp_path, server.url)):
        await eventually(lambda: parts(tmp_path) and parts(tmp_path)[0].stat().st_size == 50)
        server.spoil = bytes
        await eventually(lambda: current(tmp_path) == V1)


async def test_a_part_of_another_version_makes_room(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """There is never more than the one that is wanted."""
    server.publish(V1, program(journal.path))
    break_off(server, 50)
    async with running(settings(tmp_path, server.url)):
        await eventually(lambda: parts(tmp_path))
        [left] = parts(tmp_path)
    server.publish(V2, program(journal.path, "# newer"))
    async with running(settings(tmp_path, server.url)):
        await eventually(lambda: parts(tmp_path) and parts(tmp_path) != [left])
        assert len(parts(tmp_path)) == 1


class Usage(NamedTuple):
    """What shutil.disk_usage tells."""

    total: int
    used: int
    free: int


async def test_a_full_disk_is_told_and_heals(
    tmp_path: Path,
    journal: Journal,
    server: ServerPeer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is missing and where; the old version runs on, and space that comes back is used."""
    data = tmp_path / "data"
    server.publish(V1, program(journal.path))
    async with running(settings(data, server.url)):
        await eventually(lambda: current(data) == V1)
        with monkeypatch.context() as patched:
            patched.setattr(shutil, "disk_usage", lambda _: Usage(100, 99, 1))
            server.publish(V2, program(journal.path, "# new"))
            await eventually(lambda: "bytes, 1 are free" in str([vars(r) for r in caplog.records]))
            assert journal.lines() == [f"start {V1}"]
        await eventually(lambda: current(data) == V2)


async def test_an_executable_that_vanished_is_fetched_again(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """When the program ends and its file is gone, the round begins anew."""
    data = tmp_path / "data"
    server.publish(V1, program(journal.path, on_stop="exit 1"))
    async with running(settings(data, server.url)):
        await eventually(lambda: current(data) == V1)
        (data / "versions" / V1 / "app").unlink()
        os.kill(journal.pids(f"start {V1}")[0], signal.SIGKILL)
        await eventually(lambda: len(journal.pids(f"start {V1}")) == 2)
    assert len(server.asked("GET", "/download")) == 2


async def test_an_artifact_that_is_a_link_is_not_followed(tmp_path: Path, journal: Journal) -> None:
    """Only a regular file that this client wrote is executed."""
    installed = Installed(tmp_path, keep_versions=3)
    async with serving(ServerPeer()) as server:
        server.publish(V1, program(journal.path))
        async with running(settings(tmp_path, server.url)):
            await eventually(lambda: current(tmp_path) == V1)
    record = installed.current()
    assert record
    app = tmp_path / "versions" / V1 / "app"
    app.rename(tmp_path / "elsewhere")
    app.symlink_to(tmp_path / "elsewhere")
    assert installed.path(record) is None


async def test_only_signed_versions_are_taken(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """With keys: unsigned is refused before it is downloaded, and reported; signed runs."""
    key = new_private_key()
    server.publish(V1, program(journal.path))
    artifact = server.record()["artifact"]
    assert isinstance(artifact, dict)
    said = statement("shop", V1, artifact["name"], artifact["size"], artifact["sha256"])
    async with serving(HubPeer()) as hub:
        keys = {"public_keys": (public_line(key),), "hub": hub.url}
        async with running(settings(tmp_path, server.url, **keys)):
            await eventually(lambda: hub.reports)
            assert "not signed by any of the trusted keys" in hub.reports[0]["message"]
            assert server.asked("GET", "/download") == []
            server.artifact_changes = {"signature": sign(key, said)}
            await eventually(lambda: current(tmp_path) == V1)
        assert [one["result"] for one in hub.reports] == ["failed", "ok", "ok"]


async def test_a_signature_for_another_target_is_none(
    tmp_path: Path, journal: Journal, server: ServerPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """A server cannot pass one signed program off as another."""
    server.publish(V1, program(journal.path))
    keys = {"public_keys": (public_line(new_private_key()),), "target": "other"}
    async with running(settings(tmp_path, server.url, **keys)):
        await eventually(lambda: caplog.records)
    assert "is a version of 'shop', not of 'other'" in str(vars(caplog.records[0]))


def test_a_full_disk_is_named_with_the_next_step(tmp_path: Path) -> None:
    """The system's own words say neither which disk nor what to do."""
    installed = Installed(tmp_path, keep_versions=2)
    told = installed.told(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert f"which holds {tmp_path}, is full" in told
    assert "next: make room there" in told
    assert installed.told(OSError("torn")) == "torn"
