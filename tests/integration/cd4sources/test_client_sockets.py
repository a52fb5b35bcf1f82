"""Sockets that the client holds for the program: swaps that nobody who asks takes notice of."""

import os
import signal
import socket
from functools import partial
from pathlib import Path

import pytest

from cd4sources.delivery.sockets import AddressUnusable, listen, listening
from cd4sources.running.commands import spawn
from directcd.demo.world import free_ports
from tests.integration.cd4sources.clients import NOWHERE, V1, current, is_current, running, settings
from tests.integration.cd4sources.loads import Load, http_program, load
from tests.integration.cd4sources.peers import ServerPeer
from tests.integration.cd4sources.programs import Journal, program
from tests.support.waiting import eventually

FULL = os.environ.get("DIRECTCD_CHAOS") == "full"
SWAPS = 100 if FULL else 6
VERSIONS = 50 if FULL else 15


def version(number: int) -> str:
    return f"v-{number:012x}"


@pytest.mark.timeout(600 if FULL else 60)
async def test_swaps_under_load_fail_no_request(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """New connections and kept ones, before, during and after every swap."""
    data, [port] = tmp_path / "data", free_ports(1)
    changes = {"sockets": (f"127.0.0.1:{port}",), "settle_seconds": 0.1}
    server.publish(version(0), http_program(journal.path, "# 0"))
    async with running(settings(data, server.url, **changes)):
        await eventually(partial(is_current, data, version(0)))
        async with load(port) as asked:
            for number in range(1, SWAPS + 1):
                server.publish(version(number), http_program(journal.path, f"# {number}"))
                await eventually(partial(_answers, asked, version(number)))
    assert asked.failures == []
    assert set(asked.answers) == {version(number) for number in range(SWAPS + 1)}


def _answers(asked: Load, of: str) -> bool:
    return asked.answers[of] > 0


BAD = (
    "tell(); raise SystemExit(3)",
    "tell(); import time; time.sleep(300)",
    "tell(); os.kill(os.getpid(), 11)",
    None,
)
"""Ways to be bad: it ends at once, hangs, crashes, is no program at all."""


@pytest.mark.timeout(600 if FULL else 60)
async def test_bad_versions_are_noticed_by_nobody_who_asks(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """Every third is bad, in its own way; each bad one is started once and quarantined."""
    data, [port] = tmp_path / "data", free_ports(1)
    healthy = ("sh", "-c", f'grep -q "start $DIRECTCD_VERSION" {journal.path}.ready')
    changes = {"health_command": healthy, "health_timeout_seconds": 0.5, "settle_seconds": 0.1}
    sockets = (f"127.0.0.1:{port}",)
    server.publish(version(0), good(journal, 0))
    async with running(settings(data, server.url, sockets=sockets, **changes)):
        await eventually(partial(is_current, data, version(0)))
        async with load(port) as asked:
            for number in range(1, VERSIONS):
                await (_bad if number % 3 == 0 else _good)(number, data, journal, server)
    assert asked.failures == []
    starts = [len(journal.pids(f"start {version(number)} ")) for number in range(0, VERSIONS, 3)]
    assert max(starts) <= 1
    assert len(list((data / "quarantine").iterdir())) == (VERSIONS - 1) // 3


def good(journal: Journal, number: int) -> str:
    return http_program(f"{journal.path}.ready", f"# {number}")


async def _good(number: int, data: Path, journal: Journal, server: ServerPeer) -> None:
    server.publish(version(number), good(journal, number))
    await eventually(lambda: current(data) == version(number))


async def _bad(number: int, data: Path, journal: Journal, server: ServerPeer) -> None:
    body = BAD[number // 3 % len(BAD)]
    text = "\x7fno program" if body is None else http_program(journal.path, f"{body} # {number}")
    server.publish(version(number), f"{text}# {number}\n")
    await eventually((data / "quarantine" / version(number)).exists)


async def test_a_program_finds_its_sockets_by_name(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """In the settings' order from descriptor 3 on, ignored signals restored."""
    path, [port] = tmp_path / "app.sock", free_ports(1)
    tell = 'echo "$LISTEN_FDNAMES $LISTEN_FDS $(ls -l /proc/$$/fd | grep -c socket) 0"'
    ignored = "echo $(grep SigIgn /proc/$$/status) 0"
    server.publish(V1, program(journal.path, f"({tell}; {ignored}) >> {journal.path}"))
    sockets = {"sockets": (f"[::1]:{port}", str(path))}
    async with running(settings(tmp_path / "data", server.url, **sockets)):
        await eventually(lambda: current(tmp_path / "data") == V1)
        assert f"{port}:app.sock 2 2" in journal.lines()
        assert f"SigIgn: {_ignored_by_whoever_started_us():016x}" in journal.lines()
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(path))
    assert not path.exists()


def _ignored_by_whoever_started_us() -> int:
    """A bit for each signal, without those that Python itself ignores."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
    return ignored & ~(1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)


async def test_sockets_held_by_a_killed_clients_program_are_had_back(
    tmp_path: Path, journal: Journal, server: ServerPeer
) -> None:
    """It is stopped first; there is no other way to them."""
    data, [port] = tmp_path / "data", free_ports(1)
    address = f"127.0.0.1:{port}"
    held = listen([address])
    orphan = await spawn(["/bin/sleep", "60"], env={}, owner=data, pass_fds=held.descriptors)
    held.close()
    server.publish(V1, http_program(journal.path))
    async with running(settings(data, server.url, sockets=(address,))):
        await eventually(lambda: current(data) == V1)
    assert await orphan.process.wait() < 0


@pytest.mark.parametrize("holds_one", [False, True], ids=["of none", "of one of two"])
async def test_a_program_is_not_stopped_for_an_address_that_another_holds(
    tmp_path: Path, *, holds_one: bool
) -> None:
    """That would be in vain."""
    mine, foreign = (f"127.0.0.1:{port}" for port in free_ports(2))
    held, other = listen([mine]), listen([foreign])
    descriptors = held.descriptors if holds_one else ()
    orphan = await spawn(["/bin/sleep", "60"], env={}, owner=tmp_path, pass_fds=descriptors)
    held.close()
    with pytest.raises(AddressUnusable, match=foreign if not holds_one else mine):
        async with listening(settings(tmp_path, NOWHERE, sockets=(mine, foreign))):
            pass
    assert orphan.process.returncode is None
    orphan.process.kill()
    await orphan.process.wait()
    other.close()


async def test_a_path_held_by_a_killed_clients_program_is_had_back(tmp_path: Path) -> None:
    """As a port is, also when another address is free."""
    path, [port] = str(tmp_path / "app.sock"), free_ports(1)
    held = listen([path])
    orphan = await spawn(["/bin/sleep", "60"], env={}, owner=tmp_path, pass_fds=held.descriptors)
    for _, one in held.named:
        one.close()
    async with listening(settings(tmp_path, NOWHERE, sockets=(f"127.0.0.1:{port}", path))):
        assert await orphan.process.wait() < 0


def test_a_stale_path_is_replaced_and_a_living_one_is_not(tmp_path: Path) -> None:
    """Who listens there keeps it, and so does a file that is no socket."""
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    sockets = listen([str(path)])
    with pytest.raises(AddressUnusable, match="already in use; stop what is there"):
        listen([str(path)])
    sockets.close()
    path.write_text("precious")
    with pytest.raises(AddressUnusable, match="exists"):
        listen([str(path)])
    assert path.read_text() == "precious"


def test_an_address_in_use_is_told() -> None:
    """And those before it in the list are let go."""
    ports = free_ports(2)
    with socket.create_server(("127.0.0.1", ports[1])):
        with pytest.raises(AddressUnusable, match=f"cannot listen on 127.0.0.1:{ports[1]}"):
            listen([f"127.0.0.1:{port}" for port in ports])
        listen([f"127.0.0.1:{ports[0]}"]).close()
