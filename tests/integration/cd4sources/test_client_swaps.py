"""What becomes of versions that are sick, sooner or later, and of the one before them."""

import asyncio
import logging
from hashlib import sha256
from pathlib import Path

import pytest

from cd4sources.client import Client
from cd4sources.delivery import supervising
from cd4sources.delivery.installed import Installed
from cd4sources.delivery.records import Artifact, Delivered
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
from tests.integration.cd4sources.peers import HubPeer, ServerPeer, serving
from tests.integration.cd4sources.programs import Journal, owned, program
from tests.support.processes import is_alive
from tests.support.waiting import eventually

CRASHING = "sleep 0.25; exit 4"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs are started again after short pauses."""
    monkeypatch.setattr(supervising, "FIRST_RESTART_SECONDS", 0.02)


async def test_a_version_that_ends_again_and_again_makes_way(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """Three starts; then the one before it runs, it is quarantined, and the hub knows why."""
    data = tmp_path / "data"
    server.publish(V1, program(journal.path))
    async with serving(HubPeer()) as hub:
        async with running(settings(data, server.url, hub=hub.url)):
            await eventually(lambda: current(data) == V1)
            server.publish(V2, program(journal.path, CRASHING))
            await eventually(lambda: current(data) == V2)
            await eventually(lambda: len(journal.pids(f"start {V1}")) == 2)
            assert is_alive(journal.pids(f"start {V1}")[1])
        told = [one["result"] for one in hub.reports if one["version"] == V2]
        assert told[-2:] == ["rolled_back", "quarantined"]
    assert "ended 3 times, at last: it exited" in (data / "quarantine" / V2).read_text()
    async with running(settings(data, server.url)):
        await eventually(lambda: len(journal.pids(f"start {V1}")) == 3)
    assert len(journal.pids(f"start {V2}")) == 3


async def test_without_another_version_it_is_started_for_ever(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """There is nothing better; the pauses grow."""
    server.publish(V1, program(journal.path, CRASHING))
    async with running(settings(tmp_path, server.url)):
        await eventually(lambda: len(journal.pids(f"start {V1}")) == 4)
    assert list((tmp_path / "quarantine").iterdir()) == []


async def test_a_version_that_once_lived_long_is_not_given_up(
    tmp_path: Path, journal: Journal, server: ServerPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after a restart of the client: what ails it now lies elsewhere."""
    monkeypatch.setattr(supervising, "STEADY_SECONDS", 0.2)
    data, fault = tmp_path / "data", tmp_path / "fault"
    server.publish(V1, program(journal.path))
    async with running(settings(data, server.url)):
        await eventually(lambda: current(data) == V1)
        server.publish(V2, program(journal.path, f"sleep 0.1; test ! -e {fault} || exit 1"))
        await eventually(lambda: current(data) == V2)
        record = data / "versions" / V2 / ".record.json"
        await eventually(lambda: '"steady":true' in record.read_text())
    fault.touch()
    async with running(settings(data, server.url, settle_seconds=0)):
        await eventually(lambda: len(journal.pids(f"start {V2}")) >= 5)
    assert list((data / "quarantine").iterdir()) == []


async def test_the_version_before_is_the_last_good_one(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """Not one that was quarantined in between."""
    data = tmp_path / "data"
    server.publish(V1, program(journal.path))
    async with running(settings(data, server.url)):
        await eventually(lambda: current(data) == V1)
        server.publish(V2, program(journal.path, "exit 1"))
        await eventually((data / "quarantine" / V2).exists)
        server.publish(V3, program(journal.path, CRASHING))
        await eventually(lambda: current(data) == V3)
        await eventually(lambda: current(data) == V1)
        await eventually(lambda: len(journal.pids(f"start {V1}")) == 2)


async def test_what_was_healthy_before_is_kept_when_nobody_can_say_so_now(
    tmp_path: Path, journal: Journal, server: ServerPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that lives is not killed for a health URL, with nothing else at hand."""
    data = tmp_path / "data"
    server.publish(V1, program(journal.path))
    async with running(settings(data, server.url)):
        await eventually(lambda: current(data) == V1)
    sick = {"health_url": NOWHERE, "health_timeout_seconds": 0.2}
    async with running(settings(data, server.url, **sick)):
        await eventually(lambda: "program lives and was healthy here before" in caplog.text)
        kept = journal.pids(f"start {V1}")[-1]
        server.publish(V2, program(journal.path, "# no healthier"))
        await eventually((data / "quarantine" / V2).exists)
        assert is_alive(kept)
    assert len(journal.pids(f"start {V1}")) == 2


async def test_a_stop_before_health_is_told(
    tmp_path: Path, journal: Journal, server: ServerPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """Else it would look as if the new version had never been tried."""
    server.publish(V1, program(journal.path))
    async with running(settings(tmp_path, server.url, settle_seconds=60)):
        await eventually(lambda: journal.pids(f"start {V1}"))
    assert "stopped before the new version was healthy" in caplog.text
    assert owned(tmp_path) == []


async def test_a_cancel_during_a_slow_stop_kills_the_program(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """Whoever asks twice does not wait, and leaves nothing to the next life."""
    server.publish(V1, program(journal.path, on_stop=":"))
    slow, stopping = settings(tmp_path, server.url, stop_timeout_seconds=600), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        client = tasks.create_task(Client(slow, [REPOSITORY]).run(stopping))
        await eventually(lambda: current(tmp_path) == V1)
        stopping.set()
        await eventually(lambda: f"stop {V1}" in journal.lines())
        client.cancel()
    assert owned(tmp_path) == []


async def test_the_reason_of_slow_health_is_told_early_and_once(
    tmp_path: Path,
    journal: Journal,
    server: ServerPeer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While there is still time to look into it."""
    monkeypatch.setattr("cd4sources.delivery.proving.PATIENCE_SECONDS", 0.1)
    caplog.set_level(logging.WARNING)
    server.publish(V1, program(journal.path))
    sick = {"health_url": NOWHERE, "health_timeout_seconds": 0.6}
    async with running(settings(tmp_path, server.url, **sick)):
        await eventually((tmp_path / "quarantine" / V1).exists)
    assert caplog.text.count("program is not healthy yet") == 1


async def test_the_same_failure_is_reported_once(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """A timeline shows that it failed, not how often it was tried."""
    data, fault = tmp_path / "data", tmp_path / "fault"
    server.publish(V1, program(journal.path, f"test ! -e {fault} || exit 1"))
    async with serving(HubPeer()) as hub:
        async with running(settings(data, server.url, hub=hub.url)):
            await eventually(lambda: current(data) == V1)
        fault.touch()
        async with running(settings(data, server.url, hub=hub.url)):
            await eventually(lambda: len(journal.pids(f"start {V1}")) >= 4)
            fault.unlink()
            await eventually(lambda: hub.reports[-1]["result"] == "ok" and len(hub.reports) > 2)
        assert [one["result"] for one in hub.reports] == ["ok", "ok", "failed", "ok"]


def test_a_quarantined_version_is_none_to_go_back_to(tmp_path: Path) -> None:
    """Not even if its file is still there, as after a crash."""
    installed = Installed(tmp_path, keep_versions=3)
    artifact = Artifact(name="app", size=0, sha256=sha256(b"").hexdigest(), url="")
    with installed.opened():
        for version in (V1, V2):
            (tmp_path / "versions" / version).mkdir()
            (tmp_path / "versions" / version / "app").touch()
            installed.set_current(Delivered(version=version, artifact=artifact))
        before = installed.before(V2)
        assert before
        assert before.version == V1
        (tmp_path / "quarantine" / V1).write_text("it crashed")
        assert installed.before(V2) is None
