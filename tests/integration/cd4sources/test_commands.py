"""Running commands: real processes, also those that do not want to end."""

import asyncio
import os
from pathlib import Path

import pytest

from cd4sources.running.commands import (
    Command,
    CommandNotFound,
    CommandTimeout,
    owned_by,
    reap_leftovers,
    run,
    spawn,
)
from cd4sources.running.nursing import Nanny
from tests.support.processes import daemon_command, is_alive
from tests.support.waiting import eventually


def shell(script: str, cwd: Path, *, seconds: float = 5.0, nanny: Nanny | None = None) -> Command:
    return Command(
        argv=("sh", "-c", script),
        label="script",
        cwd=cwd,
        env={"PATH": os.environ["PATH"]},
        owner=cwd,
        timeout_seconds=seconds,
        nanny=nanny,
        log=cwd / "log",
    )


async def test_status_and_output_are_returned(tmp_path: Path) -> None:
    """The exit status, stdout alone, and both together, also in the log."""
    done = await run(shell("echo out; echo err >&2; exit 3", tmp_path))
    assert (done.returncode, done.stdout) == (3, "out\n")
    assert sorted(done.tail.split()) == ["err", "out"]
    assert sorted((tmp_path / "log").read_text().split()) == ["err", "out"]


async def test_only_the_end_of_a_long_output_is_kept(tmp_path: Path) -> None:
    """A command that prints megabytes costs kilobytes."""
    done = await run(shell("yes | head -c 5000000; echo end", tmp_path))
    assert len(done.stdout) == 64 * 1024
    assert done.stdout.endswith("y\nend\n")


async def test_missing_program_is_named(tmp_path: Path) -> None:
    """A program that does not exist is an error of its own."""
    command = Command(
        argv=("no-such-program",),
        label="the tool",
        cwd=tmp_path,
        env={},
        owner=tmp_path,
        timeout_seconds=1,
    )
    with pytest.raises(CommandNotFound, match="the tool cannot be started"):
        await run(command)


async def test_time_out_kills_a_double_forked_child(tmp_path: Path) -> None:
    """What left its session and its parent is killed with the command."""
    pid_file = tmp_path / "pid"
    script = f"{daemon_command(pid_file)}; echo waiting; sleep 300"
    with pytest.raises(CommandTimeout) as raised:
        await run(shell(script, tmp_path, seconds=4.0))
    assert raised.value.tail == "waiting\n"
    assert not is_alive(int(pid_file.read_text()))
    assert not owned_by(tmp_path)


async def test_cancel_kills_a_double_forked_child(tmp_path: Path) -> None:
    """A cancelled run leaves nothing behind either."""
    pid_file = tmp_path / "pid"
    running = asyncio.ensure_future(run(shell(f"{daemon_command(pid_file)}; sleep 300", tmp_path)))
    await eventually(pid_file.exists)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not is_alive(int(pid_file.read_text()))
    assert not owned_by(tmp_path)


async def test_nanny_ends_what_a_finished_command_left(tmp_path: Path) -> None:
    """A daemon that holds the output open neither delays the result nor survives it."""
    pid_file = tmp_path / "pid"
    wait = f"while ! test -e {pid_file}; do sleep 0.01; done"
    async with Nanny(tmp_path) as nanny:
        script = f"{daemon_command(pid_file)}; {wait}; echo done"
        done = await run(shell(script, tmp_path, nanny=nanny))
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert not is_alive(int(pid_file.read_text()))


async def test_leftovers_of_an_earlier_life_are_reaped(tmp_path: Path) -> None:
    """What works for a data directory is found by its marker; other processes are left alone."""
    (tmp_path / "mine").mkdir()
    env = {"PATH": os.environ["PATH"]}
    mine = await spawn(("sleep", "300"), env=env, owner=tmp_path / "mine")
    other = await spawn(("sleep", "300"), env=env, owner=tmp_path / "other")
    await reap_leftovers(tmp_path / "mine")
    assert await mine.process.wait() == -9
    assert owned_by(tmp_path / "other") == {other.process.pid}
    await reap_leftovers(tmp_path / "other")
    await other.process.wait()
