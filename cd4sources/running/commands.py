"""
The only runner of subprocesses: each in its own session, bounded in time and in remembered output.

    CommandError
    +-- CommandNotFound     the program does not exist or may not be run
    +-- CommandTimeout      it took too long; its whole tree was killed

A non-zero exit status is a result, not an error: the caller knows what it means.
"""

import asyncio
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cd4sources.running.confinement import UNCONFINED, Confinement
from cd4sources.running.nursing import Nanny, Order
from cd4sources.running.outputs import Output, collected
from cd4sources.running.processes import (
    OWNER_VARIABLE,
    TREE_VARIABLE,
    Tree,
    kill_tree,
    marked,
    owned_by,
    owner_of,
    reap_leftovers,
    stop_tree,
    trees_of,
)
from cd4sources.undisturbed import undisturbed

__all__ = [
    "OWNER_VARIABLE",
    "TREE_VARIABLE",
    "Command",
    "CommandError",
    "CommandNotFound",
    "CommandTimeout",
    "Completed",
    "Spawned",
    "Tree",
    "inherited",
    "kill_tree",
    "owned_by",
    "owner_of",
    "reap_leftovers",
    "run",
    "spawn",
    "stop_tree",
    "trees_of",
]


class CommandError(Exception):
    """A command could not be run to its end."""


class CommandNotFound(CommandError):
    """The program does not exist or may not be run."""


class CommandTimeout(CommandError):
    """The command took too long; its whole process tree was killed."""

    def __init__(self, label: str, timeout_seconds: float, tail: str) -> None:
        """Keep what the command had printed: it is the best hint at why it hangs."""
        super().__init__(
            f"{label} did not end within {timeout_seconds:g} s and was killed; "
            "raise the time-out, or see where it waits"
        )
        self.tail = tail


@dataclass(frozen=True, kw_only=True)
class Command:
    """
    What to run. `owner` is the data directory.

    A `nanny` runs it as the confinement says, and kills whatever it leaves running.
    """

    argv: Sequence[str]
    label: str
    cwd: Path
    env: Mapping[str, str]
    owner: Path
    timeout_seconds: float
    pass_fds: tuple[int, ...] = ()
    log: Path | None = None
    nanny: Nanny | None = None
    confinement: Confinement = UNCONFINED


@dataclass(frozen=True)
class Completed:
    """How it ended: `stdout` and `tail` (stdout and stderr as they came) are the last 64 KiB."""

    returncode: int
    stdout: str
    tail: str
    duration_seconds: float


@dataclass(frozen=True)
class Spawned:
    """A program that goes on running, and the id of its tree for `kill_tree`."""

    process: asyncio.subprocess.Process
    marker: str


async def run(command: Command) -> Completed:
    """
    Run a command to its end, or to its time-out; nothing of it survives either a cancel.

    Args:
        command: What to run, where, and for how many seconds at most.

    Returns:
        Exit status (negative: the signal that ended it), output and duration.

    Raises:
        CommandNotFound: The program cannot be started.
        CommandTimeout: It was killed.
    """
    started = time.monotonic()
    async with collected(command.log) as output:
        status = await _status(command, output)
        await output.drain()
    return Completed(
        returncode=status,
        stdout=_text(output.stdout),
        tail=_text(output.tail),
        duration_seconds=time.monotonic() - started,
    )


async def _status(command: Command, output: Output) -> int:
    """Run it, under its nanny if it has one; its exit status."""
    try:
        async with asyncio.timeout(command.timeout_seconds):
            if command.nanny:
                return await _nursed(command, command.nanny, output)
            return await _alone(command, output)
    except TimeoutError as error:
        tail = _text(output.tail)
        raise CommandTimeout(command.label, command.timeout_seconds, tail) from error


async def _nursed(command: Command, nanny: Nanny, output: Output) -> int:
    order = Order(command.argv, command.cwd, command.env, command.confinement)
    try:
        return await nanny.carry_out(order, output.stdout_end, output.stderr_end)
    except OSError as error:
        raise _not_found(command.label, error) from error
    finally:
        output.close_write_ends()


async def _alone(command: Command, output: Output) -> int:
    running = await _start(command, output)
    try:
        return await running.process.wait()
    finally:
        if running.process.returncode is None:
            await undisturbed(_kill(running))


async def _kill(running: Spawned) -> None:
    await kill_tree(running.marker, running.process.pid)
    await running.process.wait()


async def spawn(
    argv: Sequence[str], *, env: Mapping[str, str], owner: Path, pass_fds: tuple[int, ...] = ()
) -> Spawned:
    """
    Start a program that outlives this call, in its own session; it inherits stdout and stderr.

    Args:
        argv: Program and arguments.
        env: Its whole environment; the two markers are added.
        owner: The data directory it works for.
        pass_fds: Descriptors that it inherits.

    Raises:
        CommandNotFound: The program cannot be started.
    """
    marker = secrets.token_hex(8)
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            env=marked(env, marker, owner),
            pass_fds=pass_fds,
            start_new_session=True,
        )
    except OSError as error:
        raise _not_found(argv[0], error) from error
    return Spawned(process, marker)


async def _start(command: Command, output: Output) -> Spawned:
    marker = secrets.token_hex(8)
    try:
        process = await asyncio.create_subprocess_exec(
            *command.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output.stdout_end,
            stderr=output.stderr_end,
            cwd=command.cwd,
            env=marked(command.env, marker, command.owner),
            pass_fds=command.pass_fds,
            start_new_session=True,
        )
    except OSError as error:
        raise _not_found(command.label, error) from error
    finally:
        output.close_write_ends()
    return Spawned(process, marker)


def inherited(*names: str) -> dict[str, str]:
    """The allow-listed part of our own environment: what a child may see of it."""
    return {name: os.environ[name] for name in names if name in os.environ}


def _not_found(label: str, error: OSError) -> CommandNotFound:
    return CommandNotFound(
        f"{label} cannot be started: {error.strerror} ({error.filename}); "
        "see that it is installed and may be executed"
    )


def _text(output: bytearray) -> str:
    return output.decode("utf-8", "replace")
