"""The client against real servers and real programs."""

import asyncio
import re
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cd4sources.client import Client
from cd4sources.delivery.installed import Installed
from cd4sources.locking import DataInUse
from tests.integration.cd4sources import client_process
from tests.integration.cd4sources.clients import (
    NOWHERE,
    REPOSITORY,
    V1,
    V2,
    V3,
    V4,
    V5,
    current,
    is_current,
    running,
    settings,
)
from tests.integration.cd4sources.peers import HubPeer, ServerPeer, serving
from tests.integration.cd4sources.programs import Journal, owned, program
from tests.support.processes import is_alive
from tests.support.waiting import eventually


async def test_versions_are_followed_and_the_program_ends_with_the_client(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """Download, start, swap at the next version; at the end nothing is left running."""
    server.publish(V1, program(journal.path))
    async with running(settings(tmp_path / "data", server.url)):
        await eventually(lambda: current(tmp_path / "data") == V1)
        server.publish(V2, program(journal.path, "# other bytes"))
        await eventually(lambda: f"stop {V1}" in journal.lines())
        assert current(tmp_path / "data") == V2
    assert journal.lines() == [f"start {V1}", f"start {V2}", f"stop {V1}", f"stop {V2}"]
    assert owned(tmp_path / "data") == []


async def test_servers_never_see_credentials(tmp_path: Path, server: ServerPeer) -> None:
    """Repositories are asked for without user and password."""
    async with running(settings(tmp_path, server.url)):
        await eventually(lambda: server.requests)
    expected = "https://example.com/acme/shop.git=https://example.com/me/shop"
    assert server.requests[0].query["repo"] == [expected]


async def test_arguments_reach_the_program(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """`args` follow the program's path."""
    server.publish(V1, program(journal.path, f'echo "args $1 $2 0" >> {journal.path}'))
    async with running(settings(tmp_path, server.url, args=("--port", "9000"))):
        await eventually(lambda: "args --port 9000" in journal.lines())


async def test_a_sick_version_is_rolled_back_and_never_started_again(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """Quarantined on disk with the reason, across a restart of the client; a newer one is tried."""
    data = tmp_path / "data"
    server.publish(V1, program(journal.path))
    async with running(settings(data, server.url)):
        await eventually(lambda: current(data) == V1)
        server.publish(V2, program(journal.path, "exit 7"))
        await eventually((data / "quarantine" / V2).exists)
        assert "status 7" in (data / "quarantine" / V2).read_text()
        assert is_alive(journal.pids(f"start {V1}")[0])
    async with running(settings(data, server.url)):
        await eventually(lambda: len(journal.pids(f"start {V1}")) == 2)
        server.publish(V3, program(journal.path, "# mended"))
        await eventually(lambda: current(data) == V3)
    assert len(journal.pids(f"start {V2}")) == 1


async def test_a_proven_version_that_fails_once_is_tried_again(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """What was healthy here before is not quarantined: the reason must lie elsewhere."""
    data, switch = tmp_path / "data", tmp_path / "database"
    switch.touch()
    server.publish(V1, program(journal.path, f"test -e {switch} || exit 1"))
    async with running(settings(data, server.url)):
        await eventually(lambda: current(data) == V1)
    switch.unlink()
    async with running(settings(data, server.url)):
        await eventually(lambda: len(journal.pids(f"start {V1}")) >= 3)
        switch.touch()
        lives = len(journal.pids("start"))
        await eventually(lambda: len(journal.pids("start")) > lives and owned(data))
        assert list((data / "quarantine").iterdir()) == []


@pytest.mark.parametrize("harm", ["digest", "truncated", "too long"])
async def test_broken_bytes_are_never_started(
    tmp_path: Path, journal: Journal, server: ServerPeer, harm: str
) -> None:
    """Nor made executable; the old version runs on, and good bytes are taken when they come."""
    data = tmp_path / "data"
    server.publish(V1, program(journal.path))
    async with running(settings(data, server.url)):
        await eventually(lambda: current(data) == V1)
        spoils = {
            "digest": lambda text: text.replace(b"start", b"evils"),
            "truncated": lambda text: text[:-10],
            "too long": lambda text: text + b"#",
        }
        server.spoil = spoils[harm]
        server.claims_whole_length = harm == "truncated"
        server.publish(V2, program(journal.path, "# new"))
        await eventually(lambda: len(server.asked("GET", "/download")) >= 3)
        assert [path for path in data.rglob("*") if _is_program(path) and V1 not in str(path)] == []
        assert journal.lines() == [f"start {V1}"]
        server.spoil = bytes
        await eventually(lambda: current(data) == V2)


def _is_program(path: Path) -> bool:
    return path.is_file() and bool(path.stat().st_mode & 0o111)


@pytest.mark.parametrize(
    "change",
    [{"name": "../../escape"}, {"name": ".record.json"}, {"sha256": "x"}, {"size": -1}],
    ids=["path", "hidden", "digest", "size"],
)
async def test_a_hostile_record_is_refused(
    tmp_path: Path, server: ServerPeer, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A name that leaves its directory, or a promise of the wrong form, is not followed."""
    server.publish(V1, "#!/bin/sh\n")
    server.artifact_changes = change
    async with running(settings(tmp_path, server.url)):
        await eventually(lambda: len(server.asked("GET", "/watch")) >= 2)
    assert server.asked("GET", "/download") == []
    assert "the answer is not a Record: artifact." in str(vars(caplog.records[0]))


async def test_the_last_good_version_starts_without_any_server(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """After a reboot with every server away, what was healthy runs."""
    data = tmp_path / "data"
    server.publish(V1, program(journal.path))
    async with running(settings(data, server.url)):
        await eventually(lambda: current(data) == V1)
    async with running(settings(data, NOWHERE)):
        await eventually(lambda: len(journal.pids(f"start {V1}")) == 2)


async def test_the_last_good_version_starts_when_the_server_has_none(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """A server that lost its data answers 204: no reason to stand still."""
    data = tmp_path / "data"
    server.publish(V1, program(journal.path))
    async with running(settings(data, server.url)):
        await eventually(lambda: current(data) == V1)
    server.version = ""
    async with running(settings(data, server.url)):
        await eventually(lambda: len(journal.pids(f"start {V1}")) == 2)


async def test_a_damaged_version_on_disk_is_fetched_again(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """Bytes are checked before every start, not only after the download."""
    data = tmp_path / "data"
    server.publish(V1, program(journal.path))
    async with running(settings(data, server.url)):
        await eventually(lambda: current(data) == V1)
    (data / "versions" / V1 / "app").write_text("#!/bin/sh\necho evil >> evil\n")
    async with running(settings(data, server.url)):
        await eventually(lambda: len(journal.pids(f"start {V1}")) == 2)
    assert len(server.asked("GET", "/download")) == 2


async def test_the_next_server_is_asked_when_one_fails(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """A refused connection and a draining server are both passed over."""
    server.publish(V1, program(journal.path))
    async with serving(ServerPeer()) as draining:
        draining.watch_status = 503
        async with running(settings(tmp_path, NOWHERE, draining.url, server.url)):
            await eventually(lambda: current(tmp_path) == V1)
        assert draining.requests


async def test_old_versions_are_dropped(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """Three stay: the current one and the two before it."""
    data = tmp_path / "data"
    async with running(settings(data, server.url, settle_seconds=0)):
        for version in (V1, V2, V3, V4, V5):
            server.publish(version, program(journal.path, f"# {version}"))
            await eventually(partial(is_current, data, version))
    assert sorted(path.name for path in (data / "versions").iterdir()) == [V3, V4, V5]


async def test_two_clients_do_not_share_a_directory(tmp_path: Path) -> None:
    """The second one says so instead of stopping the first one's program."""
    with (
        Installed(tmp_path, keep_versions=3).opened(),
        pytest.raises(DataInUse, match="another process works in"),
    ):
        await Client(settings(tmp_path, NOWHERE), [REPOSITORY]).run(asyncio.Event())


def test_a_client_without_repositories_is_refused(tmp_path: Path) -> None:
    """They say which target is meant."""
    with pytest.raises(ValueError, match="at least one repository"):
        Client(settings(tmp_path, NOWHERE), [])


async def test_stages_are_reported_with_the_trace(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """Downloaded and running; a good successor; then a sick one, that is condemned; in order."""
    server.publish(V1, program(journal.path))
    async with serving(HubPeer()) as hub:
        async with running(settings(tmp_path, server.url, hub=hub.url, name="one")):
            await eventually(lambda: len(hub.reports) == 2)
            server.publish(V2, program(journal.path))
            await eventually(lambda: len(hub.reports) == 5)
            server.publish(V3, program(journal.path, "exit 1"))
            await eventually(lambda: len(hub.reports) == 8)
        told = [(one["version"], one["stage"], one["result"]) for one in hub.reports]
        assert told == [
            (V1, "downloaded", "ok"),
            (V1, "running", "ok"),
            (V2, "downloaded", "ok"),
            (V2, "running", "ok"),
            (V2, "stopped", "ok"),
            (V3, "downloaded", "ok"),
            (V3, "running", "rolled_back"),
            (V3, "running", "quarantined"),
        ]
        assert re.fullmatch(rf"{V1} ended \d\.\d\d s after SIGTERM", hub.reports[4]["message"])
        assert {one["traceparent"] for one in hub.reports} == {f"00-{'1' * 32}-{'2' * 16}-01"}
        assert "status 1" in hub.reports[-1]["message"]
        assert {(one["target"], one["reporter"]) for one in hub.reports} == {("shop", "one")}


async def test_a_killed_clients_program_serves_until_the_next_clients_is_healthy(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """SIGKILL of the client does not stop the service, and leaves nothing double in the end."""
    data, pid = tmp_path / "data", tmp_path / "orphan"
    look = f"kill -0 $(cat {pid}) && echo beside 0 >> {journal.path}"
    server.publish(V1, program(journal.path, look))
    client_settings = settings(data, server.url)
    process = await asyncio.create_subprocess_exec(
        sys.executable, client_process.__file__, client_settings.model_dump_json(), REPOSITORY
    )
    await eventually(lambda: current(data) == V1)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    orphan = journal.pids(f"start {V1}")[0]
    assert is_alive(orphan)
    pid.write_text(str(orphan))
    async with running(client_settings):
        await eventually(lambda: f"stop {V1}" in journal.lines())
        assert journal.lines() == [f"start {V1}", f"start {V1}", "beside", f"stop {V1}"]
        await eventually(lambda: not is_alive(orphan))
        assert is_alive(journal.pids(f"start {V1}")[1])
    assert owned(data) == []
