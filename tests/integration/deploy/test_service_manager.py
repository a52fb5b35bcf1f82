"""`directcd hub` as a service: what it tells its manager, and restarts that refuse nobody."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

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
    notify: Path, *words: str | Path, sockets: Mapping[str, socket.socket] = MappingProxyType({})
) -> Iterator["subprocess.Popen[bytes]"]:
    """A directcd as its manager starts it, with sockets that listen if there are any."""
    command = [sys.executable, "-m", "directcd", *map(str, words)]
    with subprocess.Popen(
        handing_over(sockets, command) if sockets else command,
        env=os.environ | variables(notify) | {"CREDENTIALS_DIRECTORY": "/c"},
        pass_fds=[one.fileno() for one in sockets.values()],
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def configured(place: Path, port: int = 0) -> Path:
    """A hub's directcd.toml."""
    file = place / "directcd.toml"
    file.write_text(HUB.format(port=port, data=place / "hub"))
    return file


def test_a_hub_says_that_it_is_ready_lives_and_stops(
    tmp_path: Path, notify: Path, told: Told
) -> None:
    """Ready means that a delivery is taken; what it does stands in `systemctl status`."""
    [port] = free_ports(1)
    with service(notify, "hub", "-c", configured(tmp_path, port)) as process:
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
    file = configured(tmp_path)

    async def one_life(senders: Senders, *, is_last: bool) -> None:
        with service(notify, "hub", "-c", file, sockets={"hub": listener}) as process:
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


UP = """
[hub]
listen = "127.0.0.1:1"
data = "{place}/hub"
[server]
data = "{place}/server"
[[target]]
name = "app"
repositories = [{{ url = "{place}/nowhere" }}]
"""


def test_parts_of_one_process_get_the_sockets_with_their_names(
    tmp_path: Path, notify: Path, told: Told
) -> None:
    """And reach each other there, whatever `listen` says."""
    file = tmp_path / "directcd.toml"
    file.write_text(UP.format(place=tmp_path))
    with (
        socket.create_server(("127.0.0.1", 0)) as a,
        socket.create_server(("127.0.0.1", 0)) as b,
        service(notify, "up", "-c", file, sockets={"server": a, "hub": b}),
    ):
        assert told.until("READY")["STATUS"].startswith("hub: 0 deliveries")
        while "waiting for the hub" in (found := told.until("STATUS")["STATUS"]):
            pass
        assert found.endswith("open streams: 1; server: app not built yet")


BUILD = """\
(env; ls -l /proc/$$/fd) > {seen}/build
case "$1" in artifact) echo program;; esac
"""
PROGRAM = """\
#!/bin/sh
(env; ls -l /proc/$$/fd) > {seen}/program.part && mv {seen}/program.part {seen}/program
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
    words = ("pull", "--repo", source.path, "-o", "program", "--working-dir", tmp_path / "work")
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        service(notify, *words, "--settle", "0", sockets={"web": listener}) as process,
    ):
        passed = f"socket:[{os.fstat(listener.fileno()).st_ino}]"
        assert told.until("READY")["STATUS"].endswith(" runs")
        process.terminate()
        assert told.until("STOPPING")
        assert process.wait() == 0
    build, program = ((tmp_path / one).read_text().splitlines() for one in ("build", "program"))
    assert not [one for one in (*build, *program) if one.startswith(OURS) or passed in one]
    assert not [one for one in build if one.startswith("CREDENTIALS_DIRECTORY=")]
    assert "CREDENTIALS_DIRECTORY=/c" in program
