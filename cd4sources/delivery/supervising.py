"""
Runs one version of the delivered program: swaps it for a healthy successor, restarts it, ends it.

The running program is touched only when its successor has proven healthy. For a moment both run,
so a program that listens must be able to do so beside its predecessor; or the client listens for it
(`sockets`), or the old one is stopped first (`overlap`).
"""

import asyncio
import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cd4sources.backoff import Backoff
from cd4sources.delivery import programs
from cd4sources.delivery.overlapping import Overlap
from cd4sources.delivery.programs import Program, Stopped, Unhealthy, signal_named
from cd4sources.delivery.sockets import Sockets
from cd4sources.delivery.starting import Starter
from cd4sources.http import Http
from cd4sources.running.commands import INHERITED, Outputs, owned_by, reap_leftovers
from cd4sources.settings import ClientSettings

FIRST_RESTART_SECONDS = 0.2
MOST_RESTART_SECONDS = 30.0
"""Bounds of the pauses before a program that ended is started again."""

STEADY_SECONDS = 60.0
"""A program that lived for so long is started again after the shortest pause."""

MOST_STARTS = 3
"""A version that ended by itself so often is a candidate for being rolled back."""

logger = logging.getLogger(__name__)


class RolledBack(Exception):
    """
    A version did not become healthy; nothing of it runs any more.

    `kept` is the version that runs on in its place, None when there is none; `standing` says how;
    `blameless` when the reason lies in the machine.
    """

    def __init__(
        self, version: str, reason: str, kept: str | None, standing: str, *, blameless: bool = False
    ) -> None:
        """Say what happened and what runs now."""
        what = "was rolled back" if kept else "did not start"
        super().__init__(f"{version} {what}: {reason}; {standing}")
        self.reason = reason
        self.kept = kept
        self.blameless = blameless


class Verdicts(Protocol):
    """What the supervisor asks and tells about a version that ran."""

    def is_steady(self, version: str) -> None:
        """It has lived for long."""

    async def gives_up(self, version: str, reason: str) -> bool:
        """It ends again and again: whether it makes way for another."""


class Supervisor:
    """
    Keeps one version running. `swap` and `stop` are for one caller, one after the other.

    Args:
        settings: How to start, prove and stop the program.
        http: The connections to use for the health URL.
        tasks: Owns the task that restarts the program.
        verdicts: Decides about a version that ends again and again.
        sockets: What the program inherits.
        outputs: Where its output goes.

    Attributes:
        given_up: Set when what was kept running is not started again any more.

    Raises:
        ValueError: The stop signal does not exist.
    """

    def __init__(
        self,
        settings: ClientSettings,
        http: Http,
        tasks: asyncio.TaskGroup,
        verdicts: Verdicts,
        sockets: Sockets,
        *,
        outputs: Outputs = INHERITED,
    ) -> None:
        """Begin with nothing running."""
        signal_named(settings.stop_signal)
        self._settings = settings
        self._starter = Starter(settings, http, sockets, outputs)
        self._tasks = tasks
        self._verdicts = verdicts
        self._overlap = Overlap(settings)
        self._program: Program | None = None
        self._keeper: asyncio.Task[None] | None = None
        self.given_up = asyncio.Event()

    @property
    def version(self) -> str | None:
        """The version that is kept running, None before the first."""
        return self._program.version if self._program else None

    async def swap(
        self, version: str, path: Path, on_running: Callable[[], None], *, proven: bool = False
    ) -> Stopped | None:
        """
        Start a version and, once it is healthy, stop everything older.

        Older is also what an earlier life of this client left running.

        Args:
            version: Its id.
            path: Its executable file.
            on_running: Called when it is healthy, before the older ones are stopped.
            proven: It was healthy here before: with nothing else at hand it is kept if it lives.

        Returns:
            How the one ended that was kept running until now, None when there was none.

        Raises:
            RolledBack: It did not become healthy and was killed; what ran before runs.
        """
        before, forgiving = self._program, proven and self._program is None
        try:
            new, stopped = await self._healthy(version, path, forgiving=forgiving)
        except Unhealthy as error:
            if forgiving and await self._cleared(version, error):
                return await self.swap(version, path, on_running, proven=proven)
            standing, blameless = _standing(before, self._program), error.blameless
            raise RolledBack(
                version, str(error), self.version, standing, blameless=blameless
            ) from error
        except asyncio.CancelledError:
            keys = {"version": version}
            logger.warning("stopped before the new version was healthy", extra=keys)
            raise
        old = self._program
        self._run(new)
        try:
            on_running()
            await self._overlap.ran_beside(old, new)
        finally:
            stopped = await programs.stop_all(self._settings, old=old, kept=new) or stopped
        return stopped

    async def stop(self) -> None:
        """Stop the program, gracefully at first, and all that an earlier life left running."""
        await self._make_way()

    async def kill(self) -> None:
        """SIGKILL the program and all that an earlier life left running."""
        if self._program:
            await self._program.kill()
        await reap_leftovers(self._settings.data)

    def release(self) -> None:
        """Let the program run on when we end; neither stop nor kill it then. A later life may."""
        if self._keeper:
            self._keeper.cancel()
        if self._program:
            self._starter.let_go(self._program)
        self._program = None

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the program's first process, if there is one."""
        if self._program:
            self._program.send_signal(number)

    async def _healthy(
        self, version: str, path: Path, *, forgiving: bool
    ) -> tuple[Program, Stopped | None]:
        """Start a version beside what runs, or in its place if need be; wait for its health."""
        if self._overlap.possible is not False:
            try:
                return await self._starter.healthy(version, path, forgiving=forgiving), None
            except Unhealthy as error:
                if not await self._overlap.is_in_doubt(error, self._program):
                    raise
                keys = {"version": version, "reason": str(error)}
                logger.warning("the old program may be in the way, trying without it", extra=keys)
        return await self._healthy_alone(version, path, forgiving=forgiving)

    async def _healthy_alone(
        self, version: str, path: Path, *, forgiving: bool
    ) -> tuple[Program, Stopped | None]:
        """Stop everything before; what was kept running is brought back if that does not help."""
        stopped = await self._make_way()
        try:
            new = await self._starter.healthy(version, path, forgiving=forgiving)
        except Unhealthy:
            if stopped:
                await self._bring_back(stopped.program)
            raise
        self._overlap.helped_to_be_alone(version)
        return new, stopped

    async def _make_way(self) -> Stopped | None:
        """Stop everything; tell how what was kept running until now has ended."""
        if self._keeper:
            self._keeper.cancel()
        stopped = await programs.stop_all(self._settings, old=self._program)
        self._program = None
        return stopped

    async def _cleared(self, version: str, error: Unhealthy) -> bool:
        """End what a killed client left: beside it a version that was healthy may miss its port."""
        if not await asyncio.to_thread(owned_by, self._settings.data):
            return False
        keys = {"version": version, "reason": str(error)}
        logger.warning("program of an earlier client may be in the way, ending it", extra=keys)
        await programs.stop_all(self._settings)
        return True

    async def _bring_back(self, old: Program) -> None:
        try:
            self._run(await self._starter.start(old.version, old.path))
        except Unhealthy as error:
            keys = {"version": old.version, "reason": str(error)}
            logger.warning("program could not be started again", extra=keys)

    def _run(self, program: Program) -> None:
        """From now on this is the program."""
        self._program = program
        if self._keeper:
            self._keeper.cancel()
        self._keeper = self._tasks.create_task(self._keep(program), name=f"keep {program.version}")

    async def _keep(self, program: Program) -> None:
        """Start the program again whenever it ends, until it is swapped, stopped or given up."""
        backoff = Backoff(FIRST_RESTART_SECONDS, MOST_RESTART_SECONDS)
        starts = 1
        while await self._outlived(program, backoff, starts):
            try:
                program = await self._starter.start(program.version, program.path)
            except Unhealthy as error:
                # Whoever falls back tries it at once, and warns when that fails, too.
                keys = {"version": program.version, "reason": str(error)}
                logger.info("program could not be started again", extra=keys)
                break
            self._program = program
            starts += 1
        self._program = None
        self.given_up.set()

    async def _outlived(self, program: Program, backoff: Backoff, starts: int) -> bool:
        """Wait for a program's end; then, after a pause, tell whether to start it again."""
        await self._wait(program, backoff)
        ending = program.ending
        keys = {"version": program.version, "ending": ending}
        logger.warning("program ended", extra=keys)
        # What it leaves behind would be in the way of its next life.
        await program.kill()
        reason = f"ended {starts} times, at last: {ending}"
        if starts >= MOST_STARTS and await self._verdicts.gives_up(program.version, reason):
            return False
        await asyncio.sleep(backoff.pause_seconds())
        return True

    async def _wait(self, program: Program, backoff: Backoff) -> None:
        try:
            async with asyncio.timeout(STEADY_SECONDS):
                await program.spawned.process.wait()
        except TimeoutError:
            backoff.reset()
            self._verdicts.is_steady(program.version)
            await program.spawned.process.wait()


def _standing(before: Program | None, now: Program | None) -> str:
    """How a version got on while another one was tried."""
    if now is None:
        return "no other version runs under this client"
    if not now.lives:
        return f"{now.version} is being started again"
    return f"{now.version} {'runs on' if now is before else 'was started again'}"
