"""
Following one target: any of wake, poll and stop, then the one identical pass.

A pass asks git for the tips, and does what is still to be done: fetch, build, publish. It does
not matter why it began, how often, or what a notification said.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
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
from cd4sources.sources.announced import PAUSES_SECONDS, Announced, announced_by, never_shown
from cd4sources.stages import Failure, Outcome, Stages, traced
from cd4sources.targets import Target
from cd4sources.wakes import Mailbox, Notification, Wake

FIRST_PAUSE_SECONDS = 1.0
"""After a failure that may heal by itself; doubles up to the poll interval."""

_SETTLED = (BuildFailed, UnknownVersion)
"""It would fail again: what is waited for is other commits or an operator, or a while."""

logger = logging.getLogger(__name__)


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
        self.last_pass_at: datetime | None = None
        self._settings = settings
        self._stages = Stages(target.name, settings.name, means.reporter, self._is_final)
        self._mailbox = Mailbox()
        self._looked_at = self.offer.newest.lockset if self.offer.newest else ()
        self._forced = False
        self._guard = DiskGuard(target.name, settings, store, means.builds, means.caches)
        self._workshop = Workshop(target, settings, means.lanes, means.caches, means.tips)
        self._maker = Maker(target.name, self._workshop, means.builds, self._guard, means.lanes)
        self._pauses = PAUSES_SECONDS
        self._again: Wake | None = None
        self._has_looked = False  # in this life
        self._is_owed = False  # a push was heard, and its sources have not been seen since

    @property
    def failure(self) -> Failure | None:
        """Why the last pass did not end well, None when it did."""
        return self._stages.failure

    async def run(self) -> NoReturn:
        """Pass after pass, for ever; cancel to end."""
        poll = self._settings.poll_interval_seconds
        backoff = Backoff(min(FIRST_PAUSE_SECONDS, poll), poll)
        wake = Wake("start")
        while True:
            # Spread, so that many targets do not ask their forge all at once.
            pause = random.uniform(0.9, 1.1) * poll  # noqa: S311 - jitter is no secret
            error = await self.look(wake)
            if error is None or isinstance(error, _SETTLED):
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
        if then and came:
            self._stages.skipped(then, came)
        is_retry = self._is_owed or self._maker.retry_seconds <= 0
        return came or Wake("retry" if is_retry else "poll")

    def wake(self, wake: Wake) -> None:
        """Look soon; several wakes during a pass are one more pass."""
        older = self._mailbox.put(wake)
        if older and older.reason == "push":
            self._mailbox.put(older)  # the same look, and whoever pushed waits for its word

    def notice(self, notification: Notification) -> None:
        """Look soon when the notification is about one of this target's refs."""
        if any(
            one.keys & notification.keys and one.ref in {"", notification.ref}
            for one in self.target.repositories
        ):
            announced = announced_by(notification, self.target.repositories)
            wake = traced(Wake("push", notification.traceparent, announced=announced))
            self._is_owed = True
            self._stages.notified(wake)
            older = self._mailbox.put(wake)
            if older and older.reason == "push":
                self._stages.skipped(older, wake)

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

    async def look(self, wake: Wake) -> Exception | None:
        """Make one pass; return what it failed with, which a stage has told."""
        try:
            await self._pass(traced(wake))
        except Exception as error:  # noqa: BLE001 -- tried again, and no other target's affair
            self._stages.over(error)
            return error
        finally:
            self.last_pass_at = datetime.now(UTC)
            await self._workshop.rest()
        self._stages.over(None)
        self._maker.forget_failure()
        return None

    async def _pass(self, wake: Wake) -> None:
        """Finish what was left half done; fetch; build and publish what is not there yet."""
        if await self.offer.is_half_pinned():
            with self._stages.of("published", wake, self.offer.pinned):
                await self._guard.retried(self.offer.finish_pin)
        with self._stages.of("fetched", wake) as outcome:
            fetch = partial(self._workshop.fetch, wake.announced)
            lockset = await self._guard.retried(fetch)
            if lockset == self._looked_at:
                outcome.result = "unchanged"
            outcome.commits = self._news_in(lockset)
            self._note_look(wake, outcome)
            self._looked_at = lockset
            if wake.announced and not await self._workshop.shows(wake.announced):
                self._wait_for(wake.announced, wake, outcome)
        with self._stages.of("built", wake) as outcome:
            plan = await self._workshop.plan(lockset)
            outcome.version = plan.version
            made = await self._made(plan, wake)
            if isinstance(made, Record):
                outcome.result = "unchanged"
        if isinstance(made, Built) or not await self.offer.is_done(plan.version):
            with self._stages.of("published", wake, plan.version):
                await self._guard.retried(partial(self.offer.put, made))
        await self._refuse_lost_pin(wake)

    async def _refuse_lost_pin(self, wake: Wake) -> None:
        """Say that the pinned version is not to be had."""
        try:
            await self.offer.refuse_lost_pin()
        except UnknownVersion:
            with self._stages.of("published", wake, self.offer.pinned):
                raise

    def _news_in(self, lockset: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """The repositories at another commit than at the last look, by name; at first, all."""
        before = self._looked_at if self._has_looked else ("",) * len(lockset)
        seen = zip(self.target.names, before, lockset, strict=True)
        return tuple((name, now) for name, then, now in seen if now != then)

    def _note_look(self, wake: Wake, outcome: Outcome) -> None:
        """Nothing is owed any more; what only a poll has found could have been here sooner."""
        found = bool(outcome.commits) and self._has_looked
        outcome.is_caught = found and wake.reason == "poll"
        self._has_looked = True
        self._is_owed = False

    def _wait_for(self, announced: Announced, wake: Wake, outcome: Outcome) -> None:
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


async def _ended(task: "asyncio.Task[None]") -> None:
    """Cancel a task of lesser importance; its failure is nobody's."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()):
        logger.warning("packing failed", extra={"reason": str(error)})
