"""
Making versions of one target: the build, its record, its end by an operator, and the next try.

A build that failed may have failed for a reason that passes (a registry that was away), and nobody
can tell. So it is tried again by itself, later and later, until other commits come.
"""

import asyncio
import time
from collections.abc import Coroutine
from functools import partial
from typing import Any

from cd4sources.backoff import Backoff
from cd4sources.building import BuildCancelled, BuildFailed
from cd4sources.building.builds import BuildRecord, Builds, State
from cd4sources.building.disk_guard import DiskGuard
from cd4sources.building.lanes import Lanes
from cd4sources.building.workshop import Plan, Workshop
from cd4sources.keeping.versions import Built
from cd4sources.redacting import redacted
from cd4sources.wakes import Wake

BUILD_RETRY_SECONDS = 60.0
"""The shortest pause before a failed build is tried again; it doubles."""

MOST_BUILD_RETRY_SECONDS = 3600.0
"""The longest: a machine is not to be busy with what fails all day."""

_NEVER = float("inf")


class Maker:
    """Builds one target, one version at a time, and remembers what could not be built."""

    def __init__(
        self, target: str, workshop: Workshop, builds: Builds, guard: DiskGuard, lanes: Lanes
    ) -> None:
        """
        Begin with nothing that has failed.

        Args:
            target: Whose builds these are.
            workshop: Where they are made.
            builds: Where they are recorded.
            guard: Who sees that there is room.
            lanes: Turns at building.
        """
        self._target = target
        self._workshop = workshop
        self._builds = builds
        self._guard = guard
        self._lanes = lanes
        self._running: tuple[str, asyncio.Task[Built]] | None = None
        self._failed = _Failed("")

    def cancel(self, build: str) -> bool:
        """End a build with everything it started; False when it does not run (any more)."""
        if self._running is None or self._running[0] != build:
            return False
        return self._running[1].cancel()

    def forget_failure(self) -> None:
        """Build also what has failed, as soon as it is asked for."""
        self._failed = _Failed("")

    @property
    def retry_seconds(self) -> float:
        """How long until what has failed is tried again; infinite when nothing has."""
        return self._failed.retry_at - time.monotonic()

    async def make(self, plan: Plan, wake: Wake) -> Built:
        """
        Build a version.

        Raises:
            BuildFailed: It cannot be built, or could not lately.
            DiskFull: There is no room for it.
            RepositoryError: Its commits cannot be checked out.
        """
        if self._failed.version != plan.version:
            self._failed = _Failed(plan.version)
        elif self._failed.message and self.retry_seconds > 0:
            raise BuildFailed(self._failed.message)
        if self._lanes.are_full:
            await self._workshop.rest()  # no process waits for a turn: hundreds may
        try:
            async with self._lanes.building():
                return await self._recorded(plan, wake)
        except BuildFailed as error:
            self._failed.note(error)
            raise

    async def _recorded(self, plan: Plan, wake: Wake) -> Built:
        """Build, and keep on disk that and how."""
        begin = partial(
            self._builds.begin,
            self._target,
            plan.version,
            self._workshop.locked(plan),
            reason=wake.reason,
            traceparent=wake.traceparent,
        )
        record = await self._guard.retried(partial(asyncio.to_thread, begin))
        end = partial(self._builds.end, record, "interrupted", message="the server was stopped")
        try:
            built = await self._cancellable(record, self._built(record, plan))
            end = partial(self._builds.end, record, "ok", exit_code=0)
        except Exception as error:
            state: State = "cancelled" if isinstance(error, BuildCancelled) else "failed"
            code = error.exit_code if isinstance(error, BuildFailed) else None
            end = partial(
                self._builds.end, record, state, exit_code=code, message=redacted(str(error))
            )
            raise
        finally:
            end()
        return built

    async def _built(self, record: BuildRecord, plan: Plan) -> Built:
        await self._guard.before_build()
        log = self._builds.log(record)
        build = partial(self._workshop.build, plan, log, record.traceparent)
        return await self._guard.retried(build, *self._workshop.own)

    async def _cancellable(
        self, record: BuildRecord, building: Coroutine[Any, Any, Built]
    ) -> Built:
        """Build in a task of its own, which an operator may cancel without ending the worker."""
        task = asyncio.create_task(building, name=f"build {record.id}")
        self._running = (record.id, task)
        try:
            return await task
        except asyncio.CancelledError:
            worker = asyncio.current_task()
            if worker is None or worker.cancelling():
                raise
            raise BuildCancelled("cancelled by an operator; a rebuild tries it again") from None
        finally:
            self._running = None


class _Failed:
    """A version that could not be built, and when it is tried again."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.message = ""
        self.retry_at = _NEVER
        self._backoff = Backoff(BUILD_RETRY_SECONDS, MOST_BUILD_RETRY_SECONDS)

    def note(self, error: BuildFailed) -> None:
        """Who cancelled it does not want it back by itself."""
        wanted = not isinstance(error, BuildCancelled)
        pause = self._backoff.pause_seconds() if wanted else _NEVER
        self.message = str(error)
        self.retry_at = time.monotonic() + pause
