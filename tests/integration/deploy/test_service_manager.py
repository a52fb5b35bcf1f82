"""`directcd hub` as a service: what it tells its manager, and restarts that refuse nobody."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from directcd.demo.world import free_ports
from tests.support.hub_process import HUB, deliver
from tests.support.sending import SENDERS, Senders
from tests.support.service_manager import Told, handing_over, told_at, variables
from tests.support.sources import Source

RESTARTS = 20 if os.environ.get("DIRECTCD_CHAOS") == "full" else 5


@pytest.fixture
def notify(tmp_path: Path) -> Path:
    """Where the manager's socket is."""
    return tmp_path / "notify"


@pytest.fixture
def told(notify: Path) -> Iterator[Told]:
    """What it is told."""
    with told_at(str(notify)) as found:
        yield found


@contextmanager
def service(
    place: Path, notify: Path, listener: socket.socket | None = None, port: int = 0
) -> Iterator["subprocess.Popen[bytes]"]:
    """A hub as its manager starts it, with a socket that listens if there is one."""
    file = place / "directcd.toml"
    file.write_text(HUB.format(port=port, data=place / "hub"))
    command = [sys.executable, "-m", "directcd", "hub", "-c", str(file)]
    passed = {"hub": listener} if listener else {}
    argv = handing_over(passed, command) if passed else command
    descriptors = [one.fileno() for one in passed.values()]
    with subprocess.Popen(
        argv,
        env=os.environ | variables(notify),
        pass_fds=descriptors,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_hub_says_that_it_is_ready_lives_and_stops(
    tmp_path: Path, notify: Path, told: Told
) -> None:
    """Ready means that a delivery is taken; what it does stands in `systemctl status`."""
    [port] = free_ports(1)
    with service(tmp_path, notify, port=port) as process:
        told.until("READY")
        status, _ = asyncio.run(deliver(port, 1))
        assert status == 202
        assert told.until("STATUS")["STATUS"].startswith("hub: 1 deliveries taken")
        assert told.until("WATCHDOG") == {"WATCHDOG": "1"}
        process.terminate()
        assert told.until("STOPPING")["STATUS"] == "stopping"
        assert process.wait() == 0


async def test_restarts_under_load_refuse_no_delivery(
    tmp_path: Path, notify: Path, told: Told
) -> None:
    """The socket is the manager's, so who connects in between waits for the next hub."""

    async def one_life(senders: Senders, *, is_last: bool) -> None:
        with service(tmp_path, notify, listener) as process:
            await asyncio.to_thread(told.until, "READY")
            await senders.are_answered(5 * SENDERS)
            if is_last:
                senders.is_over.set()
                await asyncio.gather(*sending)
            process.terminate()
            assert await asyncio.to_thread(process.wait) == 0

    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        senders = Senders(listener.getsockname()[1])
        sending = [asyncio.create_task(senders.send(first)) for first in range(1, SENDERS + 1)]
        for restarts_left in reversed(range(RESTARTS + 1)):
            await one_life(senders, is_last=restarts_left == 0)
    assert set(senders.statuses) == {202}


BUILD = """\
env > {seen}/build
case "$1" in artifact) echo program;; esac
"""
PROGRAM = """\
#!/bin/sh
env > {seen}/program.part && mv {seen}/program.part {seen}/program
exec sleep 600
"""
OURS = ("NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_")


def test_neither_builds_nor_programs_speak_in_our_name(
    tmp_path: Path, notify: Path, told: Told
) -> None:
    """A pull is ready when its program runs; credentials are the program's, and of no build."""
    source = Source(tmp_path / "source")
    source.commit(
        {"build.sh": BUILD.format(seen=tmp_path), "program": PROGRAM.format(seen=tmp_path)}
    )
    (source.path / "program").chmod(0o755)
    source.commit({})
    command = [
        sys.executable,
        "-m",
        "directcd",
        "pull",
        "--repo",
        str(source.path),
        "-o",
        "program",
    ]
    command += ["--working-dir", str(tmp_path / "work"), "--settle", "0"]
    env = os.environ | variables(notify) | {"CREDENTIALS_DIRECTORY": "/c", "LISTEN_FDS": "1"}
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as process:
        try:
            assert told.until("READY")["STATUS"].endswith(" runs")
            process.terminate()
            assert told.until("STOPPING")
            assert process.wait() == 0
        finally:
            process.kill()
    build, program = ((tmp_path / one).read_text().splitlines() for one in ("build", "program"))
    assert not [one for one in (*build, *program) if one.startswith(OURS)]
    assert not [one for one in build if one.startswith("CREDENTIALS_DIRECTORY=")]
    assert "CREDENTIALS_DIRECTORY=/c" in program
