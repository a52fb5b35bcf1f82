"""What a client takes from servers, and how it gets it."""

import asyncio
import errno
import os
import shutil
import signal
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from cd4sources.client import Client
from cd4sources.delivery.installed import Installed
from cd4sources.settings import RepositorySettings, TargetSettings
from cd4sources.signing import new_private_key, public_line, sign, statement
from directcd.config import Config
from directcd.parts import make_client
from tests.integration.cd4sources.clients import (
    NOWHERE,
    REPOSITORY,
    V1,
    V2,
    V3,
    current,
    running,
    settings,
)
from tests.integration.cd4sources.peers import HubPeer, Request, ServerPeer, serving
from tests.integration.cd4sources.programs import Journal, program
from tests.support.waiting import eventually


class Hanging(ServerPeer):
    """Downloads of one version never begin."""

    hangs_at = ""

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Speak the contract otherwise."""
        if request.path == "/download" and request.query["version"] == [self.hangs_at]:
            await writer.wait_closed()
        await super().answer(request, writer)


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


async def test_what_is_here_runs_while_a_newer_one_is_on_its_way(
    tmp_path: Path, journal: Journal
) -> None:
    """After a restart, too: however long the download takes, something runs."""
    async with serving(Hanging()) as server:
        server.publish(V1, program(journal.path))
        async with running(settings(tmp_path, server.url)):
            await eventually(lambda: current(tmp_path) == V1)
        server.hangs_at = V2
        server.publish(V2, program(journal.path, "# newer"))
        async with running(settings(tmp_path, server.url)):
            await eventually(lambda: len(journal.pids(f"start {V1}")) == 2)
            await eventually(lambda: len(server.asked("GET", "/download")) == 2)


async def test_a_download_waits_for_what_takes_over_from_a_crash_loop(
    tmp_path: Path, journal: Journal
) -> None:
    """The version before is started at once, not after the download."""
    switch = tmp_path / "crash"
    async with serving(Hanging()) as server:
        server.hangs_at = V3
        async with running(settings(tmp_path, server.url)):
            server.publish(V1, program(journal.path))
            await eventually(lambda: current(tmp_path) == V1)
            server.publish(V2, program(journal.path, f"test -e {switch} && exit 1"))
            await eventually(lambda: f"stop {V1}" in journal.lines())
            server.publish(V3, program(journal.path, "# newest"))
            await eventually(lambda: len(server.asked("GET", "/download")) == 3)
            switch.touch()
            os.kill(journal.pids(f"start {V2}")[0], signal.SIGKILL)
            await eventually(lambda: len(journal.pids(f"start {V1}")) == 2)


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
    async with serving(HubPeer()) as hub:
        keys = {"public_keys": (public_line(key),), "hub": hub.url, "target": "shop"}
        async with running(settings(tmp_path, server.url, **keys)):
            await eventually(lambda: hub.reports)
            assert "not signed by any of the trusted keys" in hub.reports[0]["message"]
            assert server.asked("GET", "/download") == []
            server.artifact_changes = signed(server, key)
            await eventually(lambda: current(tmp_path) == V1)
        assert [one["result"] for one in hub.reports] == ["failed", "ok", "ok"]


def signed(server: ServerPeer, key: Ed25519PrivateKey) -> dict[str, object]:
    """What a signing server adds to the artifact it offers."""
    artifact = server.record()["artifact"]
    assert isinstance(artifact, dict)
    facts = artifact["name"], artifact["size"], artifact["sha256"]
    return {"signature": sign(key, statement("shop", server.version, *facts))}


async def test_what_was_here_before_the_keys_is_not_started(
    tmp_path: Path, journal: Journal, server: ServerPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither at the start, with no server at hand, nor in the place of one that crashes."""
    data, key = tmp_path / "data", new_private_key()
    keys = {"public_keys": (public_line(key),), "target": "shop"}
    server.publish(V1, program(journal.path))
    async with running(settings(data, server.url)):
        await eventually(lambda: current(data) == V1)
    async with running(settings(data, NOWHERE, **keys)):
        await eventually(lambda: f"{V1} is not signed" in str([vars(r) for r in caplog.records]))
    server.publish(V2, program(journal.path, "sleep 0.3; exit 1"))
    server.artifact_changes = signed(server, key)
    async with running(settings(data, server.url, **keys)):
        await eventually(lambda: "cannot go back to the version before" in caplog.text)
    assert len(journal.pids(f"start {V1}")) == 1


def test_keys_are_bound_to_a_target(tmp_path: Path) -> None:
    """Without its name, a server could offer any program that was ever signed."""
    keys = settings(tmp_path, NOWHERE, public_keys=(public_line(new_private_key()),))
    with pytest.raises(ValueError, match="name the target"):
        Client(keys, [REPOSITORY])


async def test_the_only_target_of_the_configuration_is_what_keys_are_bound_to(
    tmp_path: Path, server: ServerPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when the client's table does not repeat its name."""
    key = new_private_key()
    server.publish(V1, program(tmp_path / "journal"))
    server.artifact_changes = signed(server, key)
    repository = RepositorySettings(url=SecretStr("https://example.com/acme/shop"))
    config = Config(
        target=(TargetSettings(name="other", repositories=(repository,)),),
        client=settings(tmp_path, server.url, public_keys=(public_line(key),)),
    )
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(make_client(config).run(stopping))
        await eventually(lambda: server.requests and caplog.records)
        stopping.set()
    assert "is a version of 'shop', not of 'other'" in str(vars(caplog.records[0]))


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


def test_a_quarantined_version_is_gone_as_a_whole(tmp_path: Path) -> None:
    """Also one that is not there (any more) is remembered."""
    installed = Installed(tmp_path, keep_versions=2)
    with installed.opened():
        (tmp_path / "versions" / V1).mkdir()
        installed.quarantine(V1, "sick")
        installed.quarantine(V2, "was never here")
    assert not (tmp_path / "versions" / V1).exists()
    assert installed.quarantined(V1) == "sick"
