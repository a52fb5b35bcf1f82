"""
Following one target: any of wake, poll and stop, then the one identical pass.

A pass asks git for the tips, and does what is still to be done: fetch, build, publish. It does
not matter why it began, how often, or what a notification said.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import NoReturn

from cd4sources.backoff import Backoff
from cd4sources.building import BuildFailed
from cd4sources.building.disk_guard import DiskGuard
from cd4sources.building.making import Maker
from cd4sources.building.workshop import Plan, Workshop
from cd4sources.keeping.store import UnknownVersion
from cd4sources.keeping.versions import Built, Record
from cd4sources.means import Means
from cd4sources.offering import Offer
from cd4sources.reporting import Result, Stage, StageReport
from cd4sources.running.commands import CommandError
from cd4sources.sources.addresses import redacted
from cd4sources.sources.announced import PAUSES_SECONDS, Announced, announced_by, never_shown
from cd4sources.sources.repository import RepositoryError
from cd4sources.targets import Target
from cd4sources.wakes import Mailbox, Notification, Wake

FIRST_PAUSE_SECONDS = 1.0
"""After a failure that may heal by itself; doubles up to the poll interval."""

_EXPECTED = (BuildFailed, RepositoryError, CommandError, UnknownVersion, OSError)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """Why the last pass did not end well."""

    stage: Stage
    message: str
    at: datetime
    version: str | None


@dataclass
class _Outcome:
    """How a stage went: what its report will say."""

    started_at: datetime
    version: str | None = None
    result: Result = "ok"
    message: str = ""


class Follower:
    """The worker of one target, and what there is to say about it."""

    def __init__(self, target: Target, means: Means) -> None:
        """
        Begin with what an earlier life published.

        Args:
            target: What it follows.
            means: What it shares with the others.
        """
        settings, store = means.settings, means.store
        self.target = target
        self.offer = Offer(target, store)
        self.failure: Failure | None = None
        self.last_pass_at: datetime | None = None
        self._settings = settings
        self._reporter = means.reporter
        self._mailbox = Mailbox()
        self._looked_at = self.offer.newest.lockset if self.offer.newest else ()
        self._forced = False
        self._guard = DiskGuard(target.name, settings, store, means.builds, means.caches)
        self._workshop = Workshop(target, settings, means.lanes, means.caches, means.tips)
        self._maker = Maker(target.name, self._workshop, means.builds, self._guard, means.lanes)
        self._pauses = PAUSES_SECONDS
        self._again: Wake | None = None

    async def run(self) -> NoReturn:
        """Pass after pass, for ever; cancel to end."""
        poll = self._settings.poll_interval_seconds
        backoff = Backoff(min(FIRST_PAUSE_SECONDS, poll), poll)
        wake = Wake("start")
        while True:
            # Spread, so that many targets do not ask their forge all at once.
            pause = random.uniform(0.9, 1.1) * poll  # noqa: S311 - jitter is no secret
            if await self._attempt(wake):
                backoff.reset()
                pause = min(pause, self._maker.retry_seconds)
            else:
                pause = backoff.pause_seconds()
            wake = await self._next_wake(pause)

    async def _next_wake(self, pause_seconds: float) -> Wake:
        """The newest wake, else another look at what was announced, else a poll."""
        then, self._again = self._again, None
        if then and then.announced:
            pause_seconds = min(pause_seconds, self._pauses[then.announced.looks - 1])
        packing = asyncio.create_task(self._workshop.pack(), name=f"pack {self.target.name}")
        try:
            came = await self._mailbox.get(pause_seconds)
        finally:
            await _ended(packing)
        if then and (came is None or came.reason != "push"):
            return then  # it is still waited for, whoever else has us look
        return came or Wake("retry" if self._maker.retry_seconds <= 0 else "poll")

    def wake(self, wake: Wake) -> None:
        """Look soon; several wakes during a pass are one more pass."""
        self._mailbox.put(wake)

    def notice(self, notification: Notification) -> None:
        """Look soon when the notification is about one of this target's refs."""
        if any(
            one.keys & notification.keys and one.ref in {"", notification.ref}
            for one in self.target.repositories
        ):
            announced = announced_by(notification, self.target.repositories)
            traceparent = notification.traceparent or _new_traceparent()
            wake = Wake("push", traceparent, announced=announced)
            self._tell("notified", _Outcome(wake.received_at), wake, wake.received_at)
            self.wake(wake)

    def refresh(self) -> None:
        """Look soon at an operator's request, also at a version that could not be built."""
        self._maker.forget_failure()
        self._workshop.plan_anew()
        self.wake(Wake("refresh"))

    def rebuild(self) -> None:
        """Look soon, and build what the sources give also when it is there."""
        self._forced = True
        self._maker.forget_failure()
        self._workshop.plan_anew()
        self.wake(Wake("rebuild"))

    def cancel(self, build: str) -> bool:
        """End a build of this target; False when it does not run (any more)."""
        return self._maker.cancel(build)

    async def pin(self, version: str) -> None:
        """
        Offer a version, and no other one until it is unpinned; newer ones are built all the same.

        Raises:
            UnknownVersion: It is not kept, or made of other repositories than are configured now.
            OSError: The disk does not take it; the next look finishes what it took half of.
        """
        await self._changed(partial(self.offer.pin, version))

    async def unpin(self) -> None:
        """Offer the newest version again. Raises OSError when the disk does not take it."""
        await self._changed(self.offer.unpin)

    async def roll_back(self) -> None:
        """
        Pin the version that was current before; once more: the one before that.

        Raises:
            UnknownVersion: None is kept.
            OSError: The disk does not take it.
        """
        await self.pin(await self.offer.previous())

    async def _changed(self, change: Callable[[], Awaitable[object]]) -> None:
        """With room made for it when the disk is full."""
        try:
            await self._guard.retried(change)
        finally:
            self.wake(Wake("refresh"))  # a pin that was lost may have been why the last one failed

    async def _attempt(self, wake: Wake) -> bool:
        """One pass; False when it failed for a reason that may heal by itself."""
        try:
            await self._pass(replace(wake, traceparent=wake.traceparent or _new_traceparent()))
        except (BuildFailed, UnknownVersion):
            return True  # it would fail again: wait for other commits or an operator, or a while
        except Exception:  # noqa: BLE001 -- logged by the stage; retried, and no other target's affair
            return False
        finally:
            self.last_pass_at = datetime.now(UTC)
            await self._workshop.rest()
        self.failure = None
        self._maker.forget_failure()
        return True

    async def _pass(self, wake: Wake) -> None:
        """Finish what was left half done; fetch; build and publish what is not there yet."""
        if await self.offer.is_half_pinned():
            with self._stage("published", wake) as outcome:
                outcome.version = self.offer.pinned
                await self._guard.retried(self.offer.finish_pin)
        with self._stage("fetched", wake) as outcome:
            fetch = partial(self._workshop.fetch, wake.announced)
            lockset = await self._guard.retried(fetch)
            if lockset == self._looked_at:
                outcome.result = "unchanged"
            self._looked_at = lockset
            if wake.announced and not await self._workshop.shows(wake.announced):
                self._wait_for(wake.announced, wake, outcome)
        with self._stage("built", wake) as outcome:
            plan = await self._workshop.plan(lockset)
            outcome.version = plan.version
            made = await self._made(plan, wake)
            if isinstance(made, Record):
                outcome.result = "unchanged"
        if isinstance(made, Built) or not await self.offer.is_done(plan.version):
            with self._stage("published", wake) as outcome:
                outcome.version = plan.version
                await self._guard.retried(partial(self.offer.put, made))
        await self._refuse_lost_pin(wake)

    async def _refuse_lost_pin(self, wake: Wake) -> None:
        """Say that the pinned version is not to be had."""
        try:
            await self.offer.refuse_lost_pin()
        except UnknownVersion:
            with self._stage("published", wake) as outcome:
                outcome.version = self.offer.pinned
                raise

    def _wait_for(self, announced: Announced, wake: Wake, outcome: _Outcome) -> None:
        """Look again soon, or say that it was in vain; what there is to see is built meanwhile."""
        if announced.looks < len(self._pauses):
            self._again = replace(wake, announced=announced.again())
            return
        url = self.target.repositories[announced.number].url
        outcome.result, outcome.message = "failed", never_shown(announced, url)
        logger.warning("announced commit never shown", extra={"reason": outcome.message})

    def _is_final(self, wake: Wake) -> bool:
        """Tell whether the one who pushed waits for this pass's word, and not another look's."""
        return wake.reason == "push" and self._again is None

    async def _made(self, plan: Plan, wake: Wake) -> Built | Record:
        """The version: the one on disk, else (or when it was asked for) a new build."""
        record = await self.offer.kept(plan.version)
        if record and not self._forced:
            return record
        forced, self._forced = self._forced, False  # once more may be asked for meanwhile
        try:
            return await self._maker.make(plan, wake)
        except BuildFailed:
            raise
        except Exception:
            self._forced |= forced  # it was not even begun, or is not to blame
            raise

    @contextmanager
    def _stage(self, stage: Stage, wake: Wake) -> Iterator[_Outcome]:
        """Time a stage, and tell how it ended; a poll that meets nothing new tells nothing."""
        outcome = _Outcome(datetime.now(UTC))
        try:
            yield outcome
        except Exception as error:
            outcome.result = "failed"
            outcome.message = redacted(str(error)) or type(error).__name__
            if self._fail(stage, outcome, error) or self._is_final(wake):
                self._tell(stage, outcome, wake, datetime.now(UTC))
            raise
        if outcome.result != "unchanged" or self._is_final(wake):
            self._tell(stage, outcome, wake, datetime.now(UTC))

    def _fail(self, stage: Stage, outcome: _Outcome, error: Exception) -> bool:
        """Remember a failure; tell whether it is news."""
        news = self.failure is None or self.failure.message != outcome.message
        self.failure = Failure(stage, outcome.message, datetime.now(UTC), outcome.version)
        keys = {"target": self.target.name, "stage": stage, "reason": outcome.message}
        expected = isinstance(error, _EXPECTED)
        level = logging.WARNING if news else logging.DEBUG
        logger.log(level, "pass failed", extra=keys, exc_info=None if expected else error)
        return news

    def _tell(self, stage: Stage, outcome: _Outcome, wake: Wake, ended_at: datetime) -> None:
        self._reporter.report(
            StageReport(
                target=self.target.name,
                version=outcome.version,
                stage=stage,
                result=outcome.result,
                started_at=outcome.started_at,
                ended_at=ended_at,
                traceparent=wake.traceparent,
                message=outcome.message,
                reporter=self._settings.name,
            )
        )


async def _ended(task: "asyncio.Task[None]") -> None:
    """Cancel a task of lesser importance; its failure is nobody's."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()):
        logger.warning("packing failed", extra={"reason": str(error)})


def _new_traceparent() -> str:
    """A trace that begins here (https://www.w3.org/TR/trace-context/#traceparent-header)."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
