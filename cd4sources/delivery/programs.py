"""Processes of the delivered program: started, watched while they live, and stopped."""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cd4sources.delivery.handover import CANNOT_NOW, OF_THE_MACHINE
from cd4sources.running.commands import (
    INHERITED,
    CommandNotFound,
    Outputs,
    Spawned,
    Tree,
    environments_of,
    kill_tree,
    spawn,
    stop_tree,
    trees_of,
)
from cd4sources.running.last_words import Words, from_now_on
from cd4sources.settings import ClientSettings

VERSION_VARIABLE = "DIRECTCD_VERSION"

BUSY_ATTEMPTS = 50
BUSY_PAUSE_SECONDS = 0.02
"""A file just written can be held open by a fork in another thread for some milliseconds."""

STANDARD_ERROR = 2

REAP_SECONDS = 5.0
"""Only a process in uninterruptible sleep outlives SIGKILL that long."""

logger = logging.getLogger(__name__)


class Unhealthy(Exception):
    """
    A program could not be started, or did not prove healthy.

    `blameless` when the reason lies in the machine or in our settings: it may be tried again.
    """

    def __init__(self, reason: str, *, blameless: bool = False) -> None:
        """Say why."""
        super().__init__(reason)
        self.blameless = blameless


class Ended(Unhealthy):
    """A program ended by itself, with an exit status; negative: the signal that ended it."""

    def __init__(self, reason: str, status: int) -> None:
        """Say how."""
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Program:
    """One started process of a version, with the environment it got, and whether by `handover`."""

    version: str
    path: Path
    env: Mapping[str, str]
    spawned: Spawned
    started: float
    words: Words
    handed_over: bool = False

    @property
    def tree(self) -> Tree:
        """The process with all that comes of it; the group's number is its own only for now."""
        # Once its exit status is taken, that number may be another's.
        return Tree(self.spawned.marker, self.spawned.process.pid if self.lives else 0)

    @property
    def lives(self) -> bool:
        """Whether its exit status is still to come."""
        return self.spawned.process.returncode is None

    @property
    def lived_seconds(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self.started

    async def live_on(self, seconds: float) -> None:
        """
        Wait while it lives.

        Raises:
            Ended: It has ended.
            Unhealthy: The machine could not start it.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.spawned.process.wait()
        status = self.spawned.process.returncode
        if status == CANNOT_NOW and self.handed_over:
            reason = f"{self.path} could not be started just now {self.last_words}"
            raise Unhealthy(reason, blameless=True)
        if status is not None:
            raise Ended(self.ending, status)

    @property
    def ending(self) -> str:
        """How it ended, after how long, and where it said why."""
        code = self.spawned.process.returncode or 0
        how = f"exited with status {code}" if code >= 0 else f"was ended by {_signal_name(-code)}"
        return f"it {how} after {self.lived_seconds:.2f} s {self.last_words}"

    @property
    def last_words(self) -> str:
        """In parentheses: which process it is, where it writes to, and its last line."""
        return self.words.of(self.spawned.process.pid)

    async def kill(self) -> None:
        """SIGKILL it with all that comes of it."""
        await kill_tree(self.tree.marker, self.tree.group)
        await self.is_reaped()

    async def is_reaped(self) -> None:
        """Wait for the exit status of what was killed; not for ever, the kernel may hold it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REAP_SECONDS):
                await self.spawned.process.wait()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to its first process, if that is still there."""
        with contextlib.suppress(ProcessLookupError):
            self.spawned.process.send_signal(number)


@dataclass(frozen=True, slots=True)
class Stopped:
    """A program that was asked to end: when, when it had ended, and how in a sentence."""

    program: Program
    asked_at: datetime
    ended_at: datetime
    how: str


async def start(
    version: str,
    path: Path,
    settings: ClientSettings,
    command: Sequence[str],
    descriptors: tuple[int, ...],
    *,
    outputs: Outputs = INHERITED,
) -> Program:
    """
    Start a program.

    Args:
        version: Its version.
        path: Its file.
        settings: The data directory it works for.
        command: What to execute: the file with its arguments, or what becomes that.
        descriptors: What it inherits.
        outputs: Where its output goes.

    Raises:
        Unhealthy: It cannot be started.
    """
    # Our own settings may hold secrets, and are none of the program's business; nor are sockets
    # that somebody passed to us.
    ours = ("DIRECTCD_", "LISTEN_")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    env = {**inherited, VERSION_VARIABLE: version}
    if not os.access(path, os.X_OK):
        raise Unhealthy(f"{path} may not be executed; is it mounted noexec?", blameless=True)
    words = from_now_on(STANDARD_ERROR if outputs.stderr is None else outputs.stderr)
    for _ in range(BUSY_ATTEMPTS):
        try:
            spawned = await spawn(
                command, env=env, owner=settings.data, pass_fds=descriptors, outputs=outputs
            )
        except CommandNotFound as error:
            if (number := _number(error)) != errno.ETXTBSY:
                raise Unhealthy(str(error), blameless=number in OF_THE_MACHINE) from error
            await asyncio.sleep(BUSY_PAUSE_SECONDS)
        else:
            keys = {"version": version, "pid": spawned.process.pid}
            logger.info("program started", extra=keys)
            started = time.monotonic()
            return Program(version, path, env, spawned, started, words, bool(descriptors))
    raise Unhealthy(f"{path} stays open for writing; what else writes there?", blameless=True)


def left_running(data: Path) -> frozenset[str]:
    """The versions of the living programs that work for a data directory; reads all of /proc."""
    return environments_of(data, VERSION_VARIABLE)


async def stop_all(
    settings: ClientSettings, *, old: Program | None = None, kept: Program | None = None
) -> Stopped | None:
    """
    Stop everything that works for a data directory, gracefully at first, side by side.

    Args:
        settings: The directory, the signal that asks, and the seconds until SIGKILL.
        old: Also this one, if its marker cannot be found any more.
        kept: Not this one.

    Returns:
        How `old` ended.
    """
    older, lived = await _trees(settings.data, old, kept), old is not None and old.lives
    stop_signal, timeout_seconds = signal_named(settings.stop_signal), settings.stop_timeout_seconds
    asked_at, stops = datetime.now(UTC), dict[str, asyncio.Task[bool]]()
    async with asyncio.TaskGroup() as stopping:
        for tree in older:
            logger.info("program being stopped", extra={"pid": tree.group})
            stop = stop_tree(tree, stop_signal, timeout_seconds)
            stops[tree.marker] = stopping.create_task(stop, name="stop a program")
    if old is None:
        return None
    await old.is_reaped()
    obeyed = stops[old.tree.marker].result() if lived else None
    return _stopped(old, asked_at, settings, obeyed=obeyed)


def _stopped(
    old: Program, asked_at: datetime, settings: ClientSettings, *, obeyed: bool | None
) -> Stopped:
    """How a program has ended; `obeyed` is None for one that had before."""
    now, stop_signal = datetime.now(UTC), signal_named(settings.stop_signal).name
    if obeyed is None:
        how = "had ended by itself"
    elif obeyed:
        how = f"ended {(now - asked_at).total_seconds():.2f} s after {stop_signal}"
    else:
        seconds = settings.stop_timeout_seconds
        how = f"was killed: it did not end within {seconds:g} s of {stop_signal}"
    return Stopped(old, asked_at, now, f"{old.version} {how}")


async def _trees(data: Path, old: Program | None, kept: Program | None) -> list[Tree]:
    # The process table is asked, not memory: an earlier life's programs are older ones too.
    found = {tree.marker: tree for tree in await asyncio.to_thread(trees_of, data)}
    if old and old.lives:
        found[old.tree.marker] = old.tree
    if kept:
        found.pop(kept.tree.marker, None)
    return list(found.values())


def signal_named(name: str) -> signal.Signals:
    """
    Return a signal by its name, with or without SIG.

    Raises:
        ValueError: There is no such signal.
    """
    try:
        return signal.Signals[f"SIG{name.removeprefix('SIG')}"]
    except KeyError as error:
        raise ValueError(f"no signal is called {name}; see `kill -l`") from error


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _number(error: CommandNotFound) -> int | None:
    cause = error.__cause__
    return cause.errno if isinstance(cause, OSError) else None
