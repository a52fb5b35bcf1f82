"""
Runs one version of the delivered program: swaps it for a healthy successor, restarts it, ends it.

The running program is touched only when its successor has proven healthy. For a moment both run,
so a program that listens must be able to do so beside its predecessor.
"""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cd4sources.backoff import Backoff
from cd4sources.commands import (
    CommandNotFound,
    Spawned,
    Tree,
    kill_tree,
    spawn,
    stop_tree,
    trees_of,
)
from cd4sources.http import Http, HttpError
from cd4sources.settings import ClientSettings

HEALTH_PAUSE_SECONDS = 0.05
"""Between two questions to the health URL: what a swap may wait too long."""

HEALTH_REQUEST_SECONDS = 5.0
"""A health URL that takes longer to answer is not healthy."""

FIRST_RESTART_SECONDS = 0.2
MOST_RESTART_SECONDS = 30.0
"""Bounds of the pauses before a program that ended is started again."""

STEADY_SECONDS = 60.0
"""A program that lived for so long is started again after the shortest pause."""

BUSY_ATTEMPTS = 50
BUSY_PAUSE_SECONDS = 0.02
"""A file just written can be held open by a fork in another thread for some milliseconds."""

logger = logging.getLogger(__name__)


class RolledBack(Exception):
    """
    A version did not become healthy; nothing of it runs any more.

    `kept` is the version that runs on in its place, None when there is none.
    """

    def __init__(self, version: str, reason: str, kept: str | None) -> None:
        """Say what happened and what runs now."""
        now = f"{kept} runs on" if kept else "no other version runs under this client"
        super().__init__(f"{version} was rolled back: {reason}; {now}")
        self.reason = reason
        self.kept = kept


class Unhealthy(Exception):
    """A started program did not prove healthy."""


@dataclass(frozen=True, slots=True)
class Program:
    """One started process of a version."""

    version: str
    path: Path
    spawned: Spawned
    started: float

    @property
    def tree(self) -> Tree:
        """The process with all that comes of it."""
        return Tree(self.spawned.marker, self.spawned.process.pid)

    @property
    def lived_seconds(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self.started


class Supervisor:
    """
    Keeps one version running. `swap` and `stop` are for one caller, one after the other.

    Args:
        settings: How to start, prove and stop the program.
        http: The connections to use for the health URL.
        tasks: Owns the task that restarts the program.

    Raises:
        ValueError: The stop signal does not exist.
    """

    def __init__(self, settings: ClientSettings, http: Http, tasks: asyncio.TaskGroup) -> None:
        """Begin with nothing running."""
        self._settings = settings
        self._http = http
        self._tasks = tasks
        self._stop_signal = signal_named(settings.stop_signal)
        self._program: Program | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def version(self) -> str | None:
        """The version that is kept running, None before the first."""
        return self._program.version if self._program else None

    async def swap(self, version: str, path: Path, on_running: Callable[[], None]) -> None:
        """
        Start a version and, once it is healthy, stop everything older.

        Older is also what an earlier life of this client left running.

        Args:
            version: Its id.
            path: Its executable file.
            on_running: Called when it is healthy, before the older ones are stopped.

        Raises:
            RolledBack: It did not become healthy and was killed; the older ones were not touched.
        """
        try:
            new = await self._start(version, path)
            await self._prove(new)
        except Unhealthy as error:
            raise RolledBack(version, str(error), self.version) from error
        old, self._program = self._program, new
        if self._keeper:
            self._keeper.cancel()
        self._keeper = self._tasks.create_task(self._keep(new), name=f"keep {version}")
        try:
            on_running()
        finally:
            await self._stop_all_but(new, old)

    async def stop(self) -> None:
        """Stop the program, gracefully at first, and all that an earlier life left running."""
        if self._keeper:
            self._keeper.cancel()
        old, self._program = self._program, None
        await self._stop_all_but(None, old)

    async def _start(self, version: str, path: Path) -> Program:
        # Our own settings may hold secrets, and are none of the program's business.
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("DIRECTCD_")}
        env = {**inherited, "DIRECTCD_VERSION": version}
        argv = (str(path), *self._settings.args)
        for _ in range(BUSY_ATTEMPTS):
            try:
                spawned = await spawn(argv, env=env, owner=self._settings.data)
            except CommandNotFound as error:
                if not _is_busy(error):
                    raise Unhealthy(str(error)) from error
                await asyncio.sleep(BUSY_PAUSE_SECONDS)
            else:
                keys = {"version": version, "pid": spawned.process.pid}
                logger.info("program started", extra=keys)
                return Program(version, path, spawned, time.monotonic())
        raise Unhealthy(f"{path} stays open for writing; what else writes there?")

    async def _prove(self, program: Program) -> None:
        """Wait until a program is healthy; kill it whenever that ends otherwise."""
        try:
            await _live_on(program, self._settings.settle_seconds)
            if self._settings.health_url:
                await self._answer(program)
        except BaseException:
            await kill_tree(program.tree.marker, program.tree.pid)
            raise

    async def _answer(self, program: Program) -> None:
        """Ask the health URL until it says yes."""
        limit = self._settings.health_timeout_seconds
        deadline = time.monotonic() + limit
        while (why_not := await self._sickness(deadline - time.monotonic())) is not None:
            if time.monotonic() >= deadline:
                raise Unhealthy(f"not healthy within {limit:g} s: {why_not}")
            await _live_on(program, HEALTH_PAUSE_SECONDS)
        await _live_on(program, 0)

    async def _sickness(self, left_seconds: float) -> str | None:
        """Ask the health URL once; None means healthy."""
        patience = min(max(left_seconds, HEALTH_PAUSE_SECONDS), HEALTH_REQUEST_SECONDS)
        try:
            await self._http.get_json(self._settings.health_url, timeout_seconds=patience)
        except HttpError as error:
            return str(error)
        return None

    async def _keep(self, program: Program) -> None:
        """Start the program again whenever it ends, until it is swapped or stopped."""
        backoff = Backoff(FIRST_RESTART_SECONDS, MOST_RESTART_SECONDS)
        while True:
            await program.spawned.process.wait()
            if program.lived_seconds > STEADY_SECONDS:
                backoff.reset()
            pause_seconds = backoff.pause_seconds()
            logger.warning("program ended, starting it again", extra=_ending(program))
            # What it leaves behind would be in the way of its next life.
            await kill_tree(program.tree.marker, program.tree.pid)
            await asyncio.sleep(pause_seconds)
            program = await self._restart(program)

    async def _restart(self, program: Program) -> Program:
        try:
            self._program = await self._start(program.version, program.path)
        except Unhealthy:
            logger.exception("program could not be started again")
            return program
        return self._program

    async def _stop_all_but(self, kept: Program | None, old: Program | None) -> None:
        # The process table is asked, not memory: an earlier life's programs are older ones too.
        older = {tree.marker: tree for tree in trees_of(self._settings.data)}
        if old:
            older[old.tree.marker] = old.tree
        if kept:
            older.pop(kept.tree.marker, None)
        timeout_seconds = self._settings.stop_timeout_seconds
        async with asyncio.TaskGroup() as stopping:
            for tree in older.values():
                logger.info("program being stopped", extra={"pid": tree.pid})
                stopping.create_task(stop_tree(tree, self._stop_signal, timeout_seconds))


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


async def _live_on(program: Program, seconds: float) -> None:
    """Wait while a program lives."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await program.spawned.process.wait()
    if program.spawned.process.returncode is not None:
        ending = _ending(program)
        raise Unhealthy(f"it {ending['ending']} after {ending['lived_seconds']} s")


def _ending(program: Program) -> dict[str, object]:
    code = program.spawned.process.returncode or 0
    how = f"exited with status {code}" if code >= 0 else f"was ended by {_signal_name(-code)}"
    return {
        "version": program.version,
        "ending": how,
        "lived_seconds": round(program.lived_seconds, 2),
    }


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _is_busy(error: CommandNotFound) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno == errno.ETXTBSY
