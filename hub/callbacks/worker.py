"""
The callbacks of one hub: a runner for each subscription whose lease this hub has.

Any hub on the log may run any subscription; the lease in the log says which one does. A hub that
vanishes loses its leases, and another goes on from the progress that was saved: what it repeats has
a `webhook-id` that the receiver has seen.
"""

import asyncio
import logging
import secrets
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from hub.callbacks.letters import again
from hub.callbacks.runner import LeaseLost, Runner
from hub.callbacks.sending import Outcome
from hub.callbacks.tools import Tools, is_told
from hub.endpoints import Endpoint
from hub.http import AddressRefused
from hub.log.base import LogUnavailable
from hub.log.values import DeadLetter, Event, Gap
from hub.problem import Problem
from hub.rules import Callback, Subscription

logger = logging.getLogger(__name__)

LOOK_UP_SECONDS = 2.0  # for a name when somebody subscribes


class Callbacks:
    """Runs callbacks from `run` until `stop`."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._owner = secrets.token_hex(8)
        self._runners: dict[str, Runner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._known: set[str] = set()
        self._elsewhere: dict[str, Callback | None] = {}  # those whose lease another hub has
        self._by_key: dict[str, list[Runner]] | None = None
        self._changed = asyncio.Event()
        self._waits_for = ""
        self._stopping = asyncio.Event()
        tools.log.listen(self._publish)
        tools.registry.on_change(self._change)

    async def run(self) -> None:
        """Work until `stop`; then what is in flight gets a moment, and the leases are given up."""
        looping = asyncio.create_task(self._loop(), name="callbacks")
        try:
            await self._stopping.wait()
        finally:
            looping.cancel()
            await asyncio.wait([looping])
            await self._leave()
            await self._tools.poster.close()

    def stop(self) -> None:
        """End `run`."""
        self._stopping.set()

    @property
    def lag(self) -> int:
        """How far the one that is furthest behind is, in events, of those that this hub has."""
        return max((runner.lag for runner in self._runners.values()), default=0)

    async def view(self, subscription: Subscription) -> dict[str, Any] | None:
        """
        How a subscription's callback is doing, for people; None when it has none.

        Raises:
            LogUnavailable: nobody knows now.
        """
        callback = subscription.callback
        if callback is None:
            return None
        stored = await self._tools.log.progress(subscription.id) or {}
        names = ("cursor", "failures", "failing_since", "last_error", "next_attempt_at")
        shown = {name: stored.get(name) for name in names}
        shown["cursor"] = shown["cursor"] or subscription.since
        shown["failures"] = shown["failures"] or 0
        shown["last_error"] = shown["last_error"] or self._tools.sender.waits_for(callback)
        return {"url": callback.url, **shown}

    async def resend(self, letter: DeadLetter) -> Outcome | None:
        """
        Post a dead letter once more, now; None when its subscription has no callback now.

        Raises:
            LogUnavailable: nobody knows the subscription now.
            Problem: the hub stops before there is an answer; whether it was taken is not known.
        """
        subscription = await self._tools.registry.find(letter.subscription_id)
        if subscription is None or subscription.callback is None:
            return None
        sent = again(letter.subscription_id, letter.message)
        sending = self._tools.sender.send(subscription.callback, sent, at_once=True)
        return await self._unless_stopping(sending)

    async def _unless_stopping(self, sending: Coroutine[Any, Any, Outcome]) -> Outcome:
        attempt = asyncio.create_task(sending, name="resend")
        stopping = asyncio.create_task(self._stopping.wait(), name="resend: stopping")
        try:
            await asyncio.wait({attempt, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not attempt.done():
                step = "send it again when the hub is back, or at another replica"
                raise Problem(503, "stopping", "the hub is shutting down", step)
            return await attempt
        finally:
            attempt.cancel()
            stopping.cancel()

    async def check(self, url: str) -> None:
        """
        See that a URL may be called, before anybody subscribes with it.

        A name that is not known yet is let through: it is looked up again at every connection.

        Raises:
            Problem: it may not; it says why.
            ValueError: it is no URL that `make_callback` takes.
        """
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                await self._tools.poster.addresses(Endpoint.parse(url))
        except AddressRefused as error:
            step = "use a public address, or add its network to hub.callback_allowed_networks"
            raise Problem(400, "callback-address", str(error), step) from error
        except OSError:  # a TimeoutError is one, too
            return

    # --- who runs what --------------------------------------------------------------------------

    def _change(self) -> None:
        self._by_key = None
        self._changed.set()
        for runner in self._runners.values():
            runner.change()

    async def _loop(self) -> None:
        renew_at = 0.0
        while True:
            self._changed.clear()
            try:
                renewing = time.monotonic() >= renew_at
                if renewing:
                    renew_at = time.monotonic() + self._tools.timing.renew_seconds
                await self._reconcile(renewing=renewing)
            except LogUnavailable as error:
                self._note_waiting(str(error))
            except Exception:  # whatever it is, the other callbacks and the hub go on
                logger.exception("callbacks not brought up to date")
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, renew_at - time.monotonic())):
                    await self._changed.wait()

    async def _reconcile(self, *, renewing: bool) -> None:
        now = self._tools.clock()
        subscriptions = self._tools.registry.all()
        with_callback = {one.id for one in subscriptions if one.callback is not None}
        told = {one.id: one for one in subscriptions if is_told(one, now)}
        ended = {one for one, task in self._tasks.items() if task.done()}
        await _each(self._drop, (self._runners.keys() - told.keys()) | ended)
        await self._forget(self._known - with_callback)
        self._known = with_callback
        self._elsewhere = {one: how for one, how in self._elsewhere.items() if one in told}
        wanted = told.keys() if renewing else self._perhaps_free(told)
        await _each(self._take, [told[one] for one in wanted])

    def _perhaps_free(self, told: Mapping[str, Subscription]) -> list[str]:
        # What another hub had is asked for again at the next renewal, and not at every change.
        others = told.keys() - self._runners.keys()
        return [one for one in others if self._elsewhere.get(one) != told[one].callback]

    async def _take(self, subscription: Subscription) -> None:
        runner = self._runners.get(subscription.id)
        asked_at = time.monotonic()
        seconds = self._tools.timing.lease_seconds
        try:
            lease = await self._tools.log.lease(subscription.id, self._owner, seconds)
        except LogUnavailable as error:
            self._note_waiting(str(error))
            if runner is not None and time.monotonic() > runner.leased_until:
                await self._end(subscription.id)
            return
        self._waits_for = ""
        if runner is not None and lease != runner.lease:
            # Somebody else has it, or had it meanwhile: what is known here may be old.
            await self._end(subscription.id)
            runner = None
        if lease is None:
            self._elsewhere[subscription.id] = subscription.callback
            return
        self._elsewhere.pop(subscription.id, None)
        if runner is None:
            runner = self._start(Runner(subscription, lease, self._tools))
        runner.leased_until = asked_at + seconds

    def _note_waiting(self, reason: str) -> None:
        if reason != self._waits_for:  # once, and not at every look
            logger.warning("callbacks wait for the log", extra={"reason": reason})
        self._waits_for = reason

    def _start(self, runner: Runner) -> Runner:
        subscription_id = runner.lease.name
        task = asyncio.create_task(runner.run(), name=f"callback {subscription_id}")
        task.add_done_callback(self._ended)
        self._runners[subscription_id], self._tasks[subscription_id] = runner, task
        self._by_key = None
        return runner

    def _ended(self, task: "asyncio.Task[None]") -> None:
        # One that broke off is started again at the next renewal, and not at once for ever.
        error = None if task.cancelled() else task.exception()
        if error is None:
            self._changed.set()
        elif not isinstance(error, LeaseLost):
            logger.error("callback broke off", exc_info=error, extra={"task": task.get_name()})

    async def _drop(self, subscription_id: str) -> None:
        # Nobody is to be told any more, or not now: another hub may go on when it is time.
        runner = await self._end(subscription_id)
        if runner is not None:
            await runner.finish()

    async def _end(self, subscription_id: str) -> Runner | None:
        runner = self._runners.pop(subscription_id, None)
        task = self._tasks.pop(subscription_id, None)
        self._by_key = None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        return runner

    async def _forget(self, subscription_ids: Iterable[str]) -> None:
        for subscription_id in subscription_ids:
            await self._tools.log.forget_progress(subscription_id)

    async def _leave(self) -> None:
        timing = self._tools.timing
        for subscription_id, runner in self._runners.items():
            runner.stop()
            if not runner.sending:
                self._tasks[subscription_id].cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=timing.last_request_seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(timing.leave_seconds):
                await _each(self._drop, list(self._runners))

    # --- what is new ----------------------------------------------------------------------------

    def _publish(self, news: Sequence[Event] | Gap) -> None:
        if isinstance(news, Gap):
            for runner in self._runners.values():
                runner.wake()
            return
        by_key = self._index()
        for key in {key for event in news for key in event.keys}:
            for runner in by_key.get(key, ()):
                runner.wake()

    def _index(self) -> dict[str, list[Runner]]:
        if self._by_key is None:
            index: defaultdict[str, list[Runner]] = defaultdict(list)
            for subscription_id, runner in self._runners.items():
                subscription = self._tools.registry.get(subscription_id)
                wants = subscription.wants if subscription else ()
                for key in {key for want in wants for key in want.keys}:
                    index[key].append(runner)
            self._by_key = dict(index)
        return self._by_key


async def _each(work: Callable[[Any], Awaitable[object]], items: Iterable[Any]) -> None:
    await asyncio.gather(*(work(item) for item in items))
