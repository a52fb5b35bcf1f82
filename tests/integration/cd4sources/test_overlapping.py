"""Programs that listen by themselves: two of them run at once, or cannot; `overlap = "auto"`."""

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from cd4sources.delivery.holders import places_of
from cd4sources.delivery.sockets import listen
from cd4sources.delivery.supervising import RolledBack
from cd4sources.running.commands import spawn
from directcd.demo.world import free_ports
from tests.integration.cd4sources import clients
from tests.integration.cd4sources.clients import V1, V2, V3
from tests.integration.cd4sources.peers import ServerPeer
from tests.integration.cd4sources.programs import Journal, executable, owned
from tests.integration.cd4sources.supervisors import left_behind, nothing, supervised
from tests.support.processes import is_alive
from tests.support.waiting import eventually

SHARES = "listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)"


def listening_program(journal: Journal, port: int, body: str = "") -> str:
    """
    Return a program that answers each connection with its version.

    Args:
        journal: Where it writes `begin VERSION PID`, and `start VERSION PID` once it listens.
        port: What it listens on, by itself.
        body: Python to run before that.
    """
    return f"""#!{sys.executable} -IS
import os, socket, sys, time
version = os.environ.get("DIRECTCD_VERSION", "")
def tell(what):
    with open({str(journal.path)!r}, "a") as file:
        file.write(f"{{what}} {{version}} {{os.getpid()}}\\n")
tell("begin")
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
{body}
try: listener.bind(("127.0.0.1", {port}))
except OSError as error: sys.exit(4)
listener.listen()
tell("start")
while True:
    with listener.accept()[0] as connection: connection.sendall(version.encode())
"""


class World:
    """Programs on one port, and how they are supervised: healthy is what listens itself."""

    def __init__(self, tmp_path: Path, journal: Journal) -> None:
        self.path, self.journal = tmp_path, journal
        [self.port] = free_ports(1)
        listens = f'grep -q "start $DIRECTCD_VERSION" {journal.path}'
        self.changes: dict[str, Any] = {
            "overlap": "auto",
            "settle_seconds": 0.05,
            "health_command": ("sh", "-c", listens),
        }

    def text(self, body: str = "") -> str:
        """A program's text."""
        return listening_program(self.journal, self.port, body)

    def app(self, name: str, body: str = "") -> Path:
        """Write a program."""
        return executable(self.path / name, self.text(body))

    def answer(self) -> str:
        """The version that answers, empty for none."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as asking:
                return asking.recv(100).decode()
        except OSError:
            return ""

    def tries(self, version: str) -> int:
        """How often a version was started."""
        return self.journal.lines().count(f"begin {version}")

    def process(self, version: str) -> int:
        """The pid of a version's last process that listened."""
        return self.journal.pids(f"start {version}")[-1]


@pytest.fixture
def world(tmp_path: Path, journal: Journal) -> World:
    return World(tmp_path, journal)


async def test_a_fixed_port_is_found_out_by_one_trial(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The second version is started twice; from then on the old one is stopped first."""
    app = world.app("app")
    async with supervised(world.path, **world.changes) as supervisor:
        for version in ("v1", "v2", "v3", "v4"):
            await supervisor.swap(version, app, nothing)
            assert world.answer() == version
    assert [world.tries(version) for version in ("v1", "v2", "v3", "v4")] == [1, 2, 1, 1]
    assert caplog.text.count("stopped first from now on") == 1


async def test_what_crashes_for_its_own_reasons_has_the_old_one_answer_again(world: World) -> None:
    """It was tried alone in vain; whether two can run at once stays open."""
    good, bad = world.app("good"), world.app("bad", "sys.exit(3)")
    async with supervised(world.path, **world.changes) as supervisor:
        await supervisor.swap("v1", good, nothing)
        with pytest.raises(RolledBack, match=r"exited with status 3 .* v1 was started again"):
            await supervisor.swap("v2", bad, nothing)
        await eventually(lambda: world.answer() == "v1")
        assert supervisor.version == "v1"
        await supervisor.swap("v3", good, nothing)
        assert world.answer() == "v3"
    assert [world.tries(version) for version in ("v1", "v2", "v3")] == [2, 2, 2]


async def test_programs_that_share_their_port_never_lose_the_old_one(world: World) -> None:
    """Once two have listened side by side, one that ends at once has only itself to blame."""
    good, bad = world.app("good", SHARES), world.app("bad", "sys.exit(3)")
    async with supervised(world.path, **world.changes) as supervisor:
        for version in ("v1", "v2"):
            await supervisor.swap(version, good, nothing)
        with pytest.raises(RolledBack, match="v2 runs on"):
            await supervisor.swap("v3", bad, nothing)
        assert world.answer() == "v2"
        assert world.journal.lines()[-1] == "begin v3"
    assert [world.tries(version) for version in ("v1", "v2", "v3")] == [1, 1, 1]


async def test_one_that_listens_only_later_proves_nothing(world: World) -> None:
    """It was called healthy before it asked for its port; the next one is quicker."""
    go = world.path / "go"
    late = f"tell('start')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)"
    app = world.app("app")
    async with supervised(world.path, **world.changes) as supervisor:
        await supervisor.swap("v1", app, nothing)
        await supervisor.swap("v2", world.app("late", late), nothing)
        go.touch()
        await eventually(lambda: world.answer() == "v2")
        await supervisor.swap("v3", app, nothing)
        assert world.answer() == "v3"
    assert [world.tries(version) for version in ("v2", "v3")] == [1, 2]


@pytest.mark.parametrize(
    "body",
    ["os.kill(os.getpid(), 11)", "sys.exit(0)", "time.sleep(300)"],
    ids=["crashes", "ends", "hangs"],
)
async def test_no_other_failure_costs_the_old_one(world: World, body: str) -> None:
    """An address that is taken shows otherwise."""
    await left_behind(world.path, world.app("good"))
    await eventually(lambda: world.answer() == "v1")
    changes = world.changes | {"health_timeout_seconds": 1}
    async with supervised(world.path, **changes) as supervisor:
        with pytest.raises(RolledBack):
            await supervisor.swap("v2", world.app("bad", body), nothing)
        assert world.answer() == "v1"
    assert world.tries("v2") == 1


async def test_an_old_one_that_listens_on_nothing_is_in_nobodys_way(world: World) -> None:
    """Then the new one failed for its own reasons."""
    idle = world.app("idle", 'tell("start"); time.sleep(300)')
    bad = world.app("bad", "sys.exit(3)")
    async with supervised(world.path, **world.changes) as supervisor:
        await supervisor.swap("v1", idle, nothing)
        with pytest.raises(RolledBack, match="v1 runs on"):
            await supervisor.swap("v2", bad, nothing)
    assert world.journal.lines() == ["begin v1", "start v1", "begin v2"]


async def test_true_means_beside_and_nothing_else(world: World) -> None:
    """A fixed port then rolls back every version."""
    app = world.app("app")
    async with supervised(world.path, **world.changes | {"overlap": True}) as supervisor:
        await supervisor.swap("v1", app, nothing)
        with pytest.raises(RolledBack, match="v1 runs on"):
            await supervisor.swap("v2", app, nothing)
        assert world.answer() == "v1"
    assert world.journal.lines() == ["begin v1", "start v1", "begin v2"]


async def test_one_that_has_emptied_its_environment_is_seen(world: World) -> None:
    """Its process group tells what it is."""
    emptied = "os.execve(sys.executable, [sys.executable, '-IS', sys.argv[0]], {})"
    app = world.app("app", f"if version == 'v1':\n    tell('start')\n    {emptied}")
    async with supervised(world.path, **world.changes) as supervisor:
        await supervisor.swap("v1", app, nothing)
        await eventually(lambda: "start " in world.journal.lines())
        await supervisor.swap("v2", app, nothing)
        assert world.answer() == "v2"
    assert world.tries("v2") == 2


async def test_a_program_of_an_earlier_life_is_tried_without(world: World) -> None:
    """It serves until then, as one of this life does."""
    app = world.app("app")
    await left_behind(world.path, app)
    await eventually(lambda: world.answer() == "v1")
    async with supervised(world.path, **world.changes) as supervisor:
        await supervisor.swap("v2", app, nothing)
        assert world.answer() == "v2"
    assert world.tries("v2") == 2


async def test_an_old_one_that_cannot_come_back_is_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Its file is gone: nothing runs, and the error says so."""
    good = world.app("good")
    gone = f"import pathlib; pathlib.Path({str(good)!r}).unlink(missing_ok=True)"
    bad = world.app("bad", f"{gone}; sys.exit(3)")
    async with supervised(world.path, **world.changes) as supervisor:
        await supervisor.swap("v1", good, nothing)
        with pytest.raises(RolledBack, match="no other version runs") as caught:
            await supervisor.swap("v2", bad, nothing)
        assert caught.value.kept is supervisor.version is None
    assert "program could not be started again" in caplog.text


async def test_a_stop_during_a_trial_leaves_nothing(world: World) -> None:
    """Neither the new one, which is alone by then, nor a part of it."""
    told = f"open({str(world.journal.path)!r}).read()"
    hangs = f"if {told}.count('begin v2') > 1: tell('hangs'); time.sleep(300)"
    app, sick = world.app("app"), world.app("sick", hangs)
    async with supervised(world.path, **world.changes) as supervisor, asyncio.TaskGroup() as tasks:
        await supervisor.swap("v1", app, nothing)
        old = world.process("v1")
        swap = tasks.create_task(supervisor.swap("v2", sick, nothing))
        await eventually(lambda: "hangs v2" in world.journal.lines())
        assert not is_alive(old)
        swap.cancel()
        await asyncio.wait({swap})
        assert owned(world.path) == []


async def test_a_killed_clients_program_comes_back_when_its_successor_is_sick(
    world: World, server: ServerPeer
) -> None:
    """As the version on disk: the whole client, over a crash of the one before."""
    data = world.path / "data"
    server.publish(V1, world.text())
    async with clients.running(clients.settings(data, server.url, **world.changes)):
        await eventually(lambda: clients.current(data) == V1)
    await left_behind(data, data / "versions" / V1 / "app")
    await eventually(lambda: world.answer() == "v1")
    server.publish(V2, world.text("sys.exit(3)"))
    async with clients.running(clients.settings(data, server.url, **world.changes)):
        await eventually((data / "quarantine" / V2).exists)
        await eventually(lambda: world.answer() == V1)
        server.publish(V3, world.text())
        await eventually(lambda: world.answer() == V3)


async def test_places_of_programs_are_ports_and_paths(tmp_path: Path) -> None:
    """Without those that we hold ourselves: they were handed over."""
    path, [port] = str(tmp_path / "app.sock"), free_ports(1)
    held = listen([path, f"127.0.0.1:{port}"])
    program = await spawn(["/bin/sleep", "60"], env={}, owner=tmp_path, pass_fds=held.descriptors)
    pid = program.process.pid
    assert places_of([pid]) == set()
    for _, one in held.named:
        one.close()
    assert places_of([pid]) == {path, str(port)}
    program.process.kill()
    await program.process.wait()
