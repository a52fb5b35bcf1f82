"""Programs that run on when directcd ends, and where what they print goes."""

import os
import signal
import socket
import sys
from pathlib import Path

from cd4sources.delivery.programs import left_running, start
from cd4sources.delivery.sockets import listen
from cd4sources.running.commands import Command, Completed, Outputs, run, spawn
from cd4sources.settings import ClientSettings
from tests.integration.cd4sources.programs import Journal, executable, owned, program
from tests.integration.cd4sources.supervisors import left_behind, nothing, supervised
from tests.support.processes import is_alive
from tests.support.waiting import eventually


async def leave(tmp_path: Path, app: Path) -> Completed:
    """Have a process of its own start a program and end."""
    module = "tests.integration.cd4sources.releasing_process"
    words = (str(tmp_path), str(app), str(tmp_path / "log"))
    command = Command(
        argv=(sys.executable, "-m", module, *words),
        label="releasing",
        cwd=Path.cwd(),
        env=dict(os.environ),
        owner=tmp_path / "elsewhere",
        timeout_seconds=30,
    )
    return await run(command)


async def test_a_released_program_outlives_whoever_started_it(
    tmp_path: Path, journal: Journal
) -> None:
    """The next life finds it, and ends it when its successor is healthy."""
    app = executable(tmp_path / "app", program(journal.path, "echo out; echo err >&2"))
    done = await leave(tmp_path, app)
    assert (done.returncode, done.tail) == (0, "")
    assert (tmp_path / "log").read_text() == "out\nerr\n"
    assert is_alive(journal.pids("start v1")[0])
    assert left_running(tmp_path) == {"v1"}
    async with supervised(tmp_path) as supervisor:
        await supervisor.swap("v2", app, lambda: journal.add("healthy v2"))
        assert journal.lines() == ["start v1", "start v2", "healthy v2", "stop v1"]


async def test_a_program_that_was_let_go_is_not_killed_with_its_transport(tmp_path: Path) -> None:
    """Which the end of the event loop, or of the process, may close."""
    kept = await spawn(["/bin/sleep", "60"], env={}, owner=tmp_path)
    kept.let_go()
    kept.transport.close()
    assert is_alive(kept.process.pid)
    os.kill(kept.process.pid, signal.SIGKILL)
    await eventually(lambda: owned(tmp_path) == [])


async def test_a_released_program_is_nobodys_here(tmp_path: Path, journal: Journal) -> None:
    """It is not started again when it ends; only its environment tells what it is."""
    app = executable(tmp_path / "app", program(journal.path))
    async with supervised(tmp_path) as supervisor:
        await supervisor.swap("v1", app, nothing)
        kept = supervisor._program
        supervisor.release()
        assert supervisor.version is None
        assert kept
        kept.spawned.transport.close()
        assert left_running(tmp_path) == {"v1"}
        os.kill(journal.pids("start v1")[0], signal.SIGKILL)
        await eventually(lambda: left_running(tmp_path) == set())
    assert journal.lines() == ["start v1"]


async def test_a_released_program_keeps_its_socket(tmp_path: Path) -> None:
    """Also the path, which goes away otherwise when nobody here listens any more."""
    path = tmp_path / "app.sock"
    sockets = listen([str(path)])
    async with supervised(tmp_path, sockets) as supervisor:
        await supervisor.swap("v1", executable(tmp_path / "app", "#!/bin/sh\nsleep 60\n"), nothing)
        supervisor.release()
        sockets.close()
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(path))


async def test_programs_of_other_data_directories_are_not_left_running_here(
    tmp_path: Path, journal: Journal
) -> None:
    """Each has its own."""
    app = executable(tmp_path / "app", program(journal.path))
    mine, other = tmp_path / "mine", tmp_path / "other"
    await left_behind(other, app)
    assert not left_running(mine)
    assert left_running(other) == {"v1"}
    async with supervised(other):
        pass


async def test_each_output_goes_where_it_is_sent(tmp_path: Path) -> None:
    """The one to one file, the other to another."""
    app = executable(tmp_path / "app", "#!/bin/sh\necho out; echo err >&2\n")
    paths = tmp_path / "out", tmp_path / "err"
    with paths[0].open("w") as out, paths[1].open("w") as err:
        outputs = Outputs(stdout=out.fileno(), stderr=err.fileno())
        settings = ClientSettings(data=tmp_path)
        ended = await start("v1", app, settings, (str(app),), (), outputs=outputs)
    await ended.spawned.process.wait()
    assert [path.read_text() for path in paths] == ["out\n", "err\n"]
