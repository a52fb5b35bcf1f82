"""Build commands under their nanny: nothing that they start outlives them, however it hides."""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cd4sources.running.commands import (
    Command,
    CommandNotFound,
    CommandTimeout,
    Completed,
    owned_by,
    run,
)
from cd4sources.running.confinement import Confinement
from cd4sources.running.nursing import Nanny
from tests.support.hiding import hidden_command, zombies_of
from tests.support.processes import is_alive
from tests.support.waiting import eventually

# Read here: tests are run without any DIRECTCD_ variable.
FULL = os.environ.get("DIRECTCD_CHAOS") == "full"
BUILDS = 1_000 if FULL else 20
AT_ONCE = 4


async def nursed(
    script: str, cwd: Path, *, seconds: float = 30.0, confinement: Confinement | None = None
) -> Completed:
    """What came of a script that was run by a nanny of its own."""
    async with Nanny(cwd) as nanny:
        return await run(ordered(nanny, script, cwd, seconds=seconds, confinement=confinement))


def ordered(
    nanny: Nanny,
    script: str,
    cwd: Path,
    *,
    seconds: float = 30.0,
    confinement: Confinement | None = None,
) -> Command:
    return Command(
        argv=("sh", "-c", script),
        label="script",
        cwd=cwd,
        env={"PATH": os.environ["PATH"]},
        owner=cwd,
        timeout_seconds=seconds,
        nanny=nanny,
        confinement=confinement or Confinement(),
    )


def hidden(pid_file: Path) -> bool:
    """Whether a process that has hidden itself lives."""
    return is_alive(int(pid_file.read_text()))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- counted, not used


@pytest.mark.timeout(900 if FULL else 60)
async def test_many_builds_leave_nothing(tmp_path: Path) -> None:
    """Daemons with an empty environment and their own session: none lives, none is a zombie."""

    async def builds(worker: int) -> None:
        for number in range(worker, BUILDS, AT_ONCE):
            await nursed(hidden_command(tmp_path / f"{number}.pid"), tmp_path)

    await nursed("true", tmp_path)
    before = descriptors()
    async with asyncio.TaskGroup() as tasks:
        for worker in range(AT_ONCE):
            tasks.create_task(builds(worker))
    files = [tmp_path / f"{number}.pid" for number in range(BUILDS)]
    assert not [file for file in files if hidden(file)]
    assert not zombies_of(os.getpid())
    assert descriptors() <= before


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 143", 143), ("kill -TERM $$", -15), ("kill -KILL $$", -9)],
)
async def test_status_of_the_command_comes_through(
    tmp_path: Path, script: str, status: int
) -> None:
    """An exit status is told apart from a signal of the same number."""
    assert (await nursed(script, tmp_path)).returncode == status


async def test_missing_program_is_named(tmp_path: Path) -> None:
    """The error is the same as without a nanny, which goes on to what it is told next."""
    wanted = r"script cannot be started: No such file.*\(no-such-program\)"
    async with Nanny(tmp_path) as nanny:
        command = replace(ordered(nanny, "", tmp_path), argv=("no-such-program",))
        with pytest.raises(CommandNotFound, match=wanted):
            await run(command)
        assert (await run(ordered(nanny, "exit 3", tmp_path))).returncode == 3


async def test_time_out_kills_what_hides_and_ignores(tmp_path: Path) -> None:
    """A build that ignores SIGTERM, and its hidden child, are gone when the time-out is told."""
    pid_file = tmp_path / "pid"
    script = f"trap '' TERM INT HUP; {hidden_command(pid_file)}; echo waiting; sleep 300"
    with pytest.raises(CommandTimeout) as raised:
        await nursed(script, tmp_path, seconds=2.0)
    assert raised.value.tail == "waiting\n"
    assert not hidden(pid_file)


async def test_cancel_kills_what_hides(tmp_path: Path) -> None:
    """When a cancelled run has ended, nothing of it lives."""
    pid_file = tmp_path / "pid"
    script = f"{hidden_command(pid_file)}; sleep 300"
    running = asyncio.ensure_future(nursed(script, tmp_path))
    await eventually(pid_file.exists)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not hidden(pid_file)


async def test_killed_server_takes_its_builds_along(tmp_path: Path) -> None:
    """Kill -9 of the server: its build is gone without any later life of it."""
    pid_file = tmp_path / "pid"
    script = f"{hidden_command(pid_file)}; sleep 300"
    argv = (sys.executable, "-m", "tests.integration.cd4sources.nursing_process")
    server = await asyncio.create_subprocess_exec(*argv, tmp_path, script)
    await eventually(pid_file.exists)
    server.kill()
    await server.wait()
    await eventually(lambda: not hidden(pid_file))


async def test_killed_server_takes_a_waiting_nanny_along(tmp_path: Path) -> None:
    """Kill -9 of the server between two commands: nobody waits for the second one."""
    script = "echo $PPID >part; mv part pid"
    argv = (sys.executable, "-m", "tests.integration.cd4sources.nursing_process")
    server = await asyncio.create_subprocess_exec(*argv, tmp_path, script)
    await eventually((tmp_path / "pid").exists)
    server.kill()
    await server.wait()
    await eventually(lambda: not hidden(tmp_path / "pid"))


@pytest.mark.parametrize("script", ["", "true"])
async def test_cancelled_while_it_waits_it_ends(tmp_path: Path, script: str) -> None:
    """A build that is cancelled before its first command, or between two, leaves no nanny."""
    ready = asyncio.Event()

    async def waiting() -> None:
        async with Nanny(tmp_path) as nanny:
            if script:
                await run(ordered(nanny, script, tmp_path))
            ready.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(waiting())
    await ready.wait()
    assert owned_by(tmp_path)
    task.cancel()
    await asyncio.wait([task])
    assert not owned_by(tmp_path)


async def test_nanny_killed_between_two_commands_is_noticed(tmp_path: Path) -> None:
    """The second command has failed, and the next nanny runs the third."""
    async with Nanny(tmp_path) as nanny:
        told = await run(ordered(nanny, "echo $PPID", tmp_path))
        os.kill(int(told.stdout), signal.SIGKILL)
        assert (await run(ordered(nanny, "true", tmp_path))).returncode == -signal.SIGKILL
        async with nanny:
            assert (await run(ordered(nanny, "true", tmp_path))).returncode == 0


async def test_killed_nanny_is_noticed(tmp_path: Path) -> None:
    """Kill -9 of the nanny: what is marked is killed all the same, and the build has failed."""
    pid_file = tmp_path / "pid"
    script = f"echo $$ >part; sleep 300 & mv part {pid_file}; kill -KILL $PPID; sleep 300"
    done = await nursed(script, tmp_path)
    assert done.returncode == -signal.SIGKILL
    assert not hidden(pid_file)


async def test_cancelled_nanny_ends_by_signal(tmp_path: Path) -> None:
    """SIGTERM to the nanny ends the build, too."""
    pid_file = tmp_path / "pid"
    done = await nursed(f"{hidden_command(pid_file)}; kill -TERM $PPID; sleep 300", tmp_path)
    assert done.returncode == -signal.SIGKILL
    assert not hidden(pid_file)


async def test_orphans_are_reaped_while_the_build_runs(tmp_path: Path) -> None:
    """A long build with many short daemons does not fill the process table."""
    children = "$(cat /proc/$PPID/task/$PPID/children)"
    wait = f'while test "{children}" != "$$ "; do sleep 0.01; done'
    script = f"for i in 1 2 3 4 5; do (setsid sleep 0.01 &); done; {wait}; echo end"
    assert (await nursed(script, tmp_path)).stdout == "end\n"


async def test_signals_are_not_inherited_ignored(tmp_path: Path) -> None:
    """Python ignores SIGPIPE; a build whose reader has gone must end by it, as in a shell."""
    done = await nursed("{ yes; echo $? >status; } | head -n 1 >/dev/null; cat status", tmp_path)
    assert done.stdout == "141\n"


async def test_limits_are_set(tmp_path: Path) -> None:
    """Soft and hard, no core files in any case; a limit above our own is our own."""
    confinement = Confinement((("CORE", 0), ("NOFILE", 100), ("FSIZE", 2**40)))
    script = "ulimit -c; ulimit -Hc; ulimit -n; ulimit -Hn; ulimit -n 101 2>/dev/null || echo no"
    done = await nursed(script, tmp_path, confinement=confinement)
    if os.geteuid() == 0:
        assert done.stdout.split()[:4] == ["0", "0", "100", "100"]
    else:
        assert done.stdout.split() == ["0", "0", "100", "100", "no"]


async def test_a_file_that_is_too_large_ends_its_writer(tmp_path: Path) -> None:
    """A build that writes for ever is stopped by a signal, not by a full disk."""
    confinement = Confinement((("FSIZE", 1_000_000),))
    done = await nursed("exec cat /dev/zero >big", tmp_path, confinement=confinement)
    assert done.returncode == -signal.SIGXFSZ
    assert (tmp_path / "big").stat().st_size == 1_000_000
