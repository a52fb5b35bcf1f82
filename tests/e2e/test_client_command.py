"""`directcd client` as a process: signals, and what is left when it ends."""

import asyncio
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.cd4sources.clients import V1, current
from tests.integration.cd4sources.peers import ServerPeer, serving
from tests.integration.cd4sources.programs import Journal, owned, program
from tests.support.processes import daemon_command, is_alive
from tests.support.waiting import eventually

CONFIG = """
[client]
servers = ["{url}"]
data = "{data}"
settle_seconds = 0.1
stop_timeout_seconds = 600
{more}
[[target]]
name = "shop"
repositories = [{{ url = "https://example.com/acme/shop.git" }}]
"""


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


@asynccontextmanager
async def client(tmp_path: Path, text: str) -> AsyncIterator[Process]:
    """The command with a program that runs; it is killed at the end, come what may."""
    file = tmp_path / "directcd.toml"
    async with serving(ServerPeer()) as server:
        server.publish(V1, text)
        file.write_text(CONFIG.format(url=server.url, data=tmp_path / "data", more=""))
        words = (sys.executable, "-m", "directcd", "client", "-c", str(file))
        process = await asyncio.create_subprocess_exec(*words)
        try:
            await eventually(lambda: current(tmp_path / "data") == V1)
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def test_signals_reach_the_program(tmp_path: Path, journal: Journal) -> None:
    """HUP, USR1 and USR2 are meant for it; TERM ends both."""
    names = ("HUP", "USR1", "USR2")
    traps = "\n".join(f"trap 'echo \"{name} 0\" >> {journal.path}' {name}" for name in names)
    async with client(tmp_path, program(journal.path, traps)) as process:
        for name in names:
            process.send_signal(signal.Signals[f"SIG{name}"])
            await eventually(lambda name=name: name in journal.lines())  # type: ignore[misc]
        process.terminate()
        assert await process.wait() == 0
    assert journal.lines()[-1] == f"stop {V1}"


async def test_a_second_signal_kills_what_will_not_stop(tmp_path: Path, journal: Journal) -> None:
    """Its whole tree, before the command itself ends."""
    async with client(tmp_path, program(journal.path, on_stop=":")) as process:
        process.terminate()
        await eventually(lambda: f"stop {V1}" in journal.lines())
        process.terminate()
        assert await process.wait() == 130
        assert owned(tmp_path / "data") == []


async def test_no_daemon_of_the_program_outlives_the_client(
    tmp_path: Path, journal: Journal
) -> None:
    """Not even one that has emptied its environment and left its session."""
    pid_file = tmp_path / "pid"
    text = program(journal.path, f"env -i {daemon_command(pid_file)}")
    async with client(tmp_path, text) as process:
        await eventually(pid_file.exists)
        assert is_alive(int(pid_file.read_text()))
        process.terminate()
        assert await process.wait() == 0
        assert not is_alive(int(pid_file.read_text()))


async def test_a_socket_that_cannot_be_had_is_one_sentence(tmp_path: Path) -> None:
    """And code 1."""
    path = tmp_path / "precious"
    path.touch()
    file = tmp_path / "directcd.toml"
    more = f'sockets = ["{path}"]'
    file.write_text(CONFIG.format(url="http://127.0.0.1:9", data=tmp_path / "data", more=more))
    words = (sys.executable, "-m", "directcd", "client", "-c", str(file))
    process = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.PIPE)
    said = (await process.communicate())[1].decode()
    assert process.returncode == 1
    assert said.splitlines()[-1].startswith(f"directcd: sockets: cannot listen on {path}: File exi")
