"""Trouble of the machine, and what becomes of versions meanwhile."""

import logging
import os
import signal
from pathlib import Path

import pytest

from cd4sources.delivery import supervising
from tests.integration.cd4sources.clients import NOWHERE, V1, V2, current, running, settings
from tests.integration.cd4sources.peers import ServerPeer
from tests.integration.cd4sources.programs import Journal, executable, program
from tests.support.waiting import eventually


async def test_a_sick_version_is_started_once_also_when_that_cannot_be_written(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """The verdict holds from the first moment, and is on disk as soon as that takes it."""
    data = tmp_path / "data"
    server.publish(V1, program(journal.path))
    async with running(settings(data, server.url)):
        await eventually(lambda: current(data) == V1)
        (data / "quarantine").rmdir()
        server.publish(V2, program(journal.path, "exit 3"))
        await eventually(lambda: journal.pids(f"start {V2}"))
        asked = len(server.asked("GET", "/watch"))
        await eventually(lambda: len(server.asked("GET", "/watch")) > asked + 2)
        (data / "quarantine").mkdir()
        await eventually((data / "quarantine" / V2).exists)
    assert journal.lines().count(f"start {V2}") == 1
    assert not (data / "versions" / V2).exists()


async def test_a_version_that_ends_again_and_again_makes_way_also_when_that_cannot_be_written(
    tmp_path: Path, journal: Journal, server: ServerPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one before it runs; the verdict waits for the disk, and not for the next version."""
    monkeypatch.setattr(supervising, "FIRST_RESTART_SECONDS", 0.02)
    data = tmp_path / "data"
    server.publish(V1, program(journal.path))
    async with running(settings(data, server.url)):
        await eventually(lambda: current(data) == V1)
        (data / "quarantine").rmdir()
        server.publish(V2, program(journal.path, "sleep 0.25; exit 4"))
        await eventually(lambda: len(journal.pids(f"start {V1}")) == 2)
        assert current(data) == V1
        asked = len(server.asked("GET", "/watch"))
        await eventually(lambda: len(server.asked("GET", "/watch")) > asked)
        (data / "quarantine").mkdir()
        await eventually((data / "quarantine" / V2).exists)
    assert journal.lines().count(f"start {V2}") == 3


async def test_a_version_whose_health_cannot_be_asked_is_tried_again(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """A health_command that is not there says nothing about the program."""
    data, check = tmp_path / "data", tmp_path / "check"
    asks = {"health_command": (str(check),), "health_timeout_seconds": 0.1}
    server.publish(V1, program(journal.path))
    async with running(settings(data, server.url, **asks)):
        await eventually(lambda: len(journal.pids(f"start {V1}")) > 1)
        executable(check, "#!/bin/sh\n")
        await eventually(lambda: current(data) == V1)
    assert list((data / "quarantine").iterdir()) == []


async def test_a_damaged_last_version_is_fetched_again_when_the_one_on_offer_is_sick(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """From where it came; there is nothing else to run."""
    data = tmp_path / "data"
    server.publish(V1, program(journal.path))
    async with running(settings(data, server.url)):
        await eventually(lambda: current(data) == V1)
        server.publish(V2, program(journal.path, "exit 3"))
        await eventually((data / "quarantine" / V2).exists)
    (data / "versions" / V1 / "app").write_text("damaged")
    async with running(settings(data, server.url)):
        await eventually(lambda: len(journal.pids(f"start {V1}")) == 2)


async def test_a_server_that_only_the_disk_names_gets_no_token(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """It was asked in an earlier life; the token is for those in the settings."""
    data, token = tmp_path / "data", tmp_path / "token"
    token.write_text("dcd_mine")
    server.publish(V1, program(journal.path))
    async with running(settings(data, server.url, token_file=token)):
        await eventually(lambda: current(data) == V1)
    assert server.asked("GET", "/download")[0].headers["authorization"] == "Bearer dcd_mine"
    server.requests.clear()
    (data / "versions" / V1 / "app").write_text("damaged")
    async with running(settings(data, NOWHERE, token_file=token)):
        await eventually(lambda: len(journal.pids(f"start {V1}")) == 2)
    assert ["authorization" in one.headers for one in server.requests] == [False]


async def test_a_program_that_cannot_be_started_again_is_warned_of_once(
    tmp_path: Path, journal: Journal, server: ServerPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """However often it is tried; and its end is told."""
    server.publish(V1, program(journal.path))
    with caplog.at_level(logging.INFO):
        async with running(settings(tmp_path / "data", server.url)):
            await eventually(lambda: current(tmp_path / "data") == V1)
            app = (tmp_path / "data" / "current").resolve() / "app"
            app.chmod(0o644)
            os.kill(journal.pids("start")[0], signal.SIGKILL)
            await eventually(lambda: "attempt failed" in caplog.text)
            app.chmod(0o755)
            await eventually(lambda: "attempt worked again" in caplog.text)
    told = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert len([one for one in told if "noexec" in f"{one.__dict__} {one.exc_info}"]) == 1
