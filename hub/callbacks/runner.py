"""One subscription's callback: its events, in order, each until it is taken or given up."""

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import replace

from hub.callbacks.letters import Letter, gap_notice, notification
from hub.callbacks.progress import Progress
from hub.callbacks.sending import Outcome
from hub.callbacks.tools import Tools, is_told
from hub.log.base import LogUnavailable
from hub.log.values import Cursor, DeadLetter, Event, Gap, Lease
from hub.rules import Callback, Subscription
from hub.wants import any_takes

logger = logging.getLogger(__name__)

PAGE = 100  # events read at a time
UNREACHABLE_PAUSE_SECONDS = 1.0


class LeaseLost(Exception):
    """Another hub goes on with this subscription."""


class Runner:
    """
    Works for one subscription, as long as this hub has its lease.

    Attributes:
        lease: the right to do so.
        leased_until: until when it holds unless it is renewed, by the monotonic clock.
        sending: whether a request is in flight.
    """

    def __init__(self, subscription: Subscription, lease: Lease, tools: Tools) -> None:
        self.lease = lease
        self.leased_until = 0.0
        self.sending = False
        self._id = subscription.id
        self._tools = tools
        self._news = asyncio.Event()
        self._changed = asyncio.Event()
        self._progress: Progress | None = None
        self._unsaved = False
        self._saved_at = 0.0
        self._stopping = False

    def stop(self) -> None:
        """Send nothing more; `run` ends when what is in flight is answered."""
        self._stopping = True

    def wake(self) -> None:
        """There may be events that are wanted."""
        self._news.set()

    def change(self) -> None:
        """The subscription may be another: a new URL is tried at once."""
        self._changed.set()

    async def run(self) -> None:
        """
        Work until cancelled, stopped, or until the subscription is no longer to be told.

        Raises:
            LeaseLost: another hub has taken over.
        """
        mistakes = 0
        while self._callback() is not None:
            try:
                await self._step(await self._begun())
                mistakes = 0
            except LeaseLost:
                raise
            except LogUnavailable as error:
                logger.warning(
                    "callback waits for the log",
                    extra={"subscription": self._id, "reason": str(error)},
                )
                await asyncio.sleep(UNREACHABLE_PAUSE_SECONDS)
            except Exception:
                mistakes += 1
                logger.exception("callback broke off", extra={"subscription": self._name()})
                await asyncio.sleep(self._tools.timing.pause_seconds(mistakes))

    async def finish(self) -> None:
        """Save what is not saved, and give the lease back; a log that is away changes nothing."""
        with suppress(LogUnavailable, LeaseLost):
            await self._save()
        with suppress(LogUnavailable):
            await self._tools.log.release(self.lease)

    async def _begun(self) -> Progress:
        subscription = self._tools.registry.get(self._id)
        since = subscription.since if subscription else ""
        # Another `since`: it was forgotten and made again, perhaps at another hub.
        if self._progress is not None and self._progress.since == since:
            return self._progress
        stored = await self._tools.log.progress(self._id)
        progress = Progress.from_json(stored) if stored else None
        if progress is None or progress.since != since:
            progress = Progress(Cursor.parse(since) or self._tools.log.head, since)
            self._unsaved = True
        self._progress = progress
        return progress

    async def _step(self, progress: Progress) -> None:
        self._news.clear()
        page = await self._tools.log.read(progress.cursor, PAGE)
        if isinstance(page, Gap):
            notice = gap_notice(self._id, page, progress.cursor, public_url=self._tools.public_url)
            await self._deliver(self._tools.log.head, notice)
        elif page:
            await self._work_off(page)
        else:
            await self._rest(progress)

    async def _work_off(self, page: list[Event]) -> None:
        for event in page:
            subscription = self._tools.registry.get(self._id)
            if subscription is None or self._callback() is None:
                return
            is_for_it = event.to in {"", subscription.name}
            if is_for_it and any_takes(subscription.wants, event.keys, event.ref, event.paths):
                if not await self._deliver(event.cursor, notification(self._id, event)):
                    return
            else:
                self._moved_on(event.cursor)

    async def _rest(self, progress: Progress) -> None:
        # Everything was read, and whatever is wanted would have woken this runner since: up to the
        # head there is nothing. Moving there keeps a quiet subscription within the log's reach.
        head = self._tools.log.head
        if self._news.is_set():
            return
        if head.epoch == progress.cursor.epoch and head.position > progress.cursor.position:
            self._progress = progress.at(head)
        if self._unsaved:
            await self._sleep(self._news, self._saved_at + self._tools.timing.save_seconds)
            await self._save_now_and_then()
        else:
            await self._sleep(self._news, time.monotonic() + self._tools.timing.idle_seconds)
            self._unsaved = self._progress is not progress

    async def _deliver(self, cursor: Cursor, letter: Letter) -> bool:
        # Returns whether the next one follows: this one was taken, or became a dead letter.
        while (callback := self._callback()) is not None:
            await self._until_due(callback)
            if self._callback() != callback:
                self._try_another(self._callback())
                continue
            if time.monotonic() > self.leased_until:  # asleep for longer: another hub may have it
                raise LeaseLost(self._id)
            outcome = await self._send(callback, letter)
            if not outcome.taken and self._callback() != callback:
                self._try_another(self._callback())
                continue
            if outcome.taken:
                self._moved_on(cursor)
                await self._save_now_and_then()
                return True
            if await self._failed(cursor, letter, outcome):
                return True
        return False

    @property
    def lag(self) -> int:
        """How many events there are behind where it stands; 0 while that is not known."""
        head, progress = self._tools.log.head, self._progress
        if progress is None or progress.cursor.epoch != head.epoch:
            return 0
        return head.position - progress.cursor.position

    async def _send(self, callback: Callback, letter: Letter) -> Outcome:
        self.sending = True
        try:
            return await self._tools.sender.send(callback, letter)
        except Exception:  # it is tried again with growing pauses, like whatever else fails
            logger.exception("callback not sent", extra={"subscription": self._name()})
            return Outcome(taken=False, reason="the hub made a mistake; its log has the traceback")
        finally:
            self.sending = False

    async def _failed(self, cursor: Cursor, letter: Letter, outcome: Outcome) -> bool:
        progress, now = self._known(), self._tools.clock()
        pause = self._tools.timing.pause_seconds(progress.failures + 1, outcome.retry_after_seconds)
        progress = progress.failed(outcome.reason, now, 0.0 if outcome.gone else pause)
        if outcome.gone:
            self._move(replace(progress, next_attempt_at=None))
            step = f"POST /v1/subscriptions/{self._id}/resume"
            extra = {"subscription": self._name(), "reason": outcome.reason, "next": step}
            logger.warning("callback paused by its receiver", extra=extra)
            await self._save()
            await self._tools.registry.pause(self._id)
            return False
        self._move(progress)
        failing_since = progress.failing_since or now
        if (now - failing_since).total_seconds() < self._tools.timing.retry_seconds:
            self._log_failure(progress, pause)
            await self._save()
            return False
        buried = DeadLetter(0, self._id, str(cursor), letter.body, outcome.reason, now)
        number = await self._tools.log.bury(buried)
        self._tools.counts.dead_letters += 1
        step = f"POST /v1/dead-letters/{number}/resend"
        extra = {"subscription": self._name(), "reason": outcome.reason, "next": step}
        logger.error("callback given up, it is a dead letter now", extra=extra)
        self._moved_on(cursor)
        await self._save()
        return True

    async def _until_due(self, callback: Callback) -> None:
        due = self._known().next_attempt_at
        while due is not None and self._callback() == callback:
            pause = (due - self._tools.clock()).total_seconds()
            if not 0 < pause <= self._tools.timing.most_pause_seconds:
                return  # it is time, or a clock was set back
            self._changed.clear()
            await self._sleep(self._changed, time.monotonic() + pause)

    async def _save_now_and_then(self) -> None:
        if time.monotonic() - self._saved_at >= self._tools.timing.save_seconds:
            await self._save()

    async def _save(self) -> None:
        if not self._unsaved or self._progress is None:
            return
        saving = self._progress
        value = saving.as_json()
        if not await self._tools.log.save_progress(self.lease, self._id, value):
            raise LeaseLost(self._id)
        self._unsaved = self._progress is not saving
        self._saved_at = time.monotonic()

    def _callback(self) -> Callback | None:
        # None when there is nobody to tell: forgotten, paused, or the lease not renewed.
        subscription = None if self._stopping else self._tools.registry.get(self._id)
        if subscription is None or not is_told(subscription, self._tools.clock()):
            return None
        return subscription.callback

    def _known(self) -> Progress:
        if self._progress is None:
            raise RuntimeError("nothing is delivered before it has begun")
        return self._progress

    def _move(self, progress: Progress) -> None:
        self._progress = progress
        self._unsaved = True

    def _moved_on(self, cursor: Cursor) -> None:
        self._move(self._known().at(cursor))

    def _try_another(self, callback: Callback | None) -> None:
        # What failed at another URL, or with another secret, has not failed here.
        if callback is not None:
            self._moved_on(self._known().cursor)

    def _log_failure(self, progress: Progress, pause_seconds: float) -> None:
        level = logging.WARNING if progress.failures == 1 else logging.DEBUG
        extra = {
            "subscription": self._name(),
            "reason": progress.last_error,
            "failures": progress.failures,
            "next_attempt_seconds": round(pause_seconds, 2),
        }
        logger.log(level, "callback failed", extra=extra)

    def _name(self) -> str:
        subscription = self._tools.registry.get(self._id)
        return subscription.name if subscription else self._id

    async def _sleep(self, event: asyncio.Event, until: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                await event.wait()
