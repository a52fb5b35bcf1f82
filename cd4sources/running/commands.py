"""
The only runner of subprocesses: each in its own session, bounded in time and in remembered output.

    CommandError
    +-- CommandNotFound     the program does not exist or may not be run
    +-- CommandTimeout      it took too long; its whole tree was killed

A non-zero exit status is a result, not an error: the caller knows what it means.
"""

import asyncio
import errno
import os
import secrets
import time
from asyncio.subprocess import Process, SubprocessStreamProtocol
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cd4sources.running.confinement import UNCONFINED, Confinement
from cd4sources.running.nursing import Nanny, Order
from cd4sources.running.outputs import Output, collected
from cd4sources.running.processes import (
    OWNER_VARIABLE,
    TREE_VARIABLE,
    Tree,
    environments_of,
    kill_tree,
    marked,
    members_of,
    owned_by,
    owner_of,
    reap_leftovers,
    stop_tree,
    trees_of,
)
from cd4sources.undisturbed import undisturbed

__all__ = [
    "INHERITED",
    "OWNER_VARIABLE",
    "TREE_VARIABLE",
    "Command",
    "CommandError",
    "CommandNotFound",
    "CommandTimeout",
    "Completed",
    "Outputs",
    "Spawned",
    "Tree",
    "environments_of",
    "inherited",
    "kill_tree",
    "members_of",
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
class Outputs:
    """The descriptors that a program's output goes to; None: where ours goes."""

    stdout: int | None = None
    stderr: int | None = None


INHERITED = Outputs()


@dataclass(frozen=True)
class Spawned:
    """A program that goes on running, and the id of its tree for `kill_tree`."""

    process: Process
    marker: str
    transport: asyncio.SubprocessTransport

    def let_go(self) -> None:
        """Leave it running when we end: asyncio kills whatever has no exit status by then."""
        self.transport.get_extra_info("subprocess").returncode = 0
        self.transport.close()


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
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    owner: Path,
    pass_fds: tuple[int, ...] = (),
    outputs: Outputs = INHERITED,
) -> Spawned:
    """
    Start a program that outlives this call, in its own session.

    Args:
        argv: Program and arguments.
        env: Its whole environment; the two markers are added.
        owner: The data directory it works for.
        pass_fds: Descriptors that it inherits.
        outputs: Where its output goes.

    Raises:
        CommandNotFound: The program cannot be started.
    """
    streams = {"stdout": outputs.stdout, "stderr": outputs.stderr}
    return await _launch(argv, argv[0], env, owner, pass_fds=pass_fds, **streams)


async def _start(command: Command, output: Output) -> Spawned:
    try:
        return await _launch(
            command.argv,
            command.label,
            command.env,
            command.owner,
            cwd=command.cwd,
            pass_fds=command.pass_fds,
            stdout=output.stdout_end,
            stderr=output.stderr_end,
        )
    finally:
        output.close_write_ends()


async def _launch(
    argv: Sequence[str], label: str, env: Mapping[str, str], owner: Path, **options: Any
) -> Spawned:
    """Start a process in its own session, with the markers; options are those of `subprocess`."""
    marker = secrets.token_hex(8)
    loop = asyncio.get_running_loop()
    try:
        # As create_subprocess_exec does, which keeps the transport to itself.
        transport, protocol = await loop.subprocess_exec(
            lambda: SubprocessStreamProtocol(limit=0, loop=loop),
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            env=marked(env, marker, owner),
            start_new_session=True,
            **options,
        )
    except OSError as error:
        raise _not_found(label, error) from error
    return Spawned(Process(transport, protocol, loop), marker, transport)


def inherited(*names: str) -> dict[str, str]:
    """The allow-listed part of our own environment: what a child may see of it."""
    return {name: os.environ[name] for name in names if name in os.environ}


def _not_found(label: str, error: OSError) -> CommandNotFound:
    step = "see that it is installed and may be executed"
    if error.errno == errno.ENOEXEC:
        step = "a script begins with `#!` and its interpreter, a program is made for this machine"
    return CommandNotFound(
        f"{label} cannot be started: {error.strerror} ({error.filename}); {step}"
    )


def _text(output: bytearray) -> str:
    return output.decode("utf-8", "replace")
