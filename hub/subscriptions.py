"""
The registry: today's subscriptions in memory.

Every change is written through to the log, where several hubs share it; each takes over what the
others changed. The values and rules are in `hub.rules`, `hub.wants` and `hub.matching`.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TypeVar

from hub.log.base import Log, LogUnavailable
from hub.log.values import SubscriptionRow
from hub.matching import Index, discard
from hub.rules import Callback, Mismatch, Subscription, from_row, to_row
from hub.wants import Want

__all__ = ["Callback", "Mismatch", "NewSubscription", "Registry", "Subscription"]

Made = TypeVar("Made", Subscription, Subscription | None)

logger = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 0.1
ATTEMPTS = 10  # to change what other hubs change at the same time
FORGET_AFTER = timedelta(days=30)  # an ended lease explains much, and a clock may be days ahead


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """
    What a subscriber asks for.

    Attributes:
        name: a second one of the same name takes the first one's place.
        wants: what it wants to hear of.
        lease: how long it counts without being renewed.
        callback: where it is to be told; None when it opens `/v1/events` itself.
        secret_given: whether the callback's secret is the subscriber's; else a known callback to
            the same URL keeps the one it has.
        since: the cursor at which a callback begins, unless it replaces one: that goes on.
    """

    name: str
    wants: tuple[Want, ...]
    lease: timedelta
    callback: Callback | None = None
    secret_given: bool = False
    since: str = ""


def id_of(name: str) -> str:
    """A subscription's id: the same at every hub, so that two who subscribe at once are one."""
    return f"sub_{blake2b(name.encode(), digest_size=12).hexdigest()}"


class Registry:
    """
    Today's subscriptions.

    Attributes:
        loaded: whether the log has told them; until then nobody knows who wants what.
    """

    def __init__(self, log: Log) -> None:
        self.loaded = False
        self._log = log
        self._writing = asyncio.Lock()  # memory and log change together, one change at a time
        self._index = Index()
        self._rows: dict[str, SubscriptionRow] = {}  # as they were read: a change replaces one
        self._unsure = False
        self._listeners: list[Callable[[], None]] = []
        self._watchers: defaultdict[str, set[Callable[[], None]]] = defaultdict(set)
        self._failing = False
        self._looked_at = 0.0

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every change, made here or at another hub."""
        self._listeners.append(listener)

    def watch(self, subscription_id: str, listener: Callable[[], None]) -> None:
        """Call `listener` after every change of one subscription, until it is taken back."""
        self._watchers[subscription_id].add(listener)

    def unwatch(self, subscription_id: str, listener: Callable[[], None]) -> None:
        """Take a listener back."""
        discard(self._watchers, subscription_id, listener)

    async def refresh(self) -> None:
        """
        Take over what the log has stored, or what other hubs have changed since.

        A log that cannot be reached changes nothing: what is known stays.
        """
        try:
            async with self._writing:
                await self._take_over()
        except LogUnavailable as error:
            if not self._failing:
                logger.warning("subscriptions not read", extra={"reason": str(error)})
            self._failing = True
        except Exception:  # a mistake must not leave this hub with yesterday's subscriptions
            if not self._failing:
                logger.exception("subscriptions not taken over")
            self._failing = self._unsure = True
        else:
            self._failing = False

    async def look_again(self) -> bool:
        """
        Take over what other hubs have just changed; whether that was done.

        Under load it is done ten times a second and not for every push.
        """
        now = time.monotonic()
        if not self.loaded or now - self._looked_at < LOOK_AGAIN_SECONDS:
            return False
        self._looked_at = now
        await self.refresh()
        return True

    async def _take_over(self) -> None:
        if not self.loaded or self._unsure:
            await self._take_all()
            return
        changes = await self._log.changed_subscriptions()
        self._take(changes.stored, changes.deleted)

    async def _take_all(self) -> None:
        stored = await self._log.subscriptions()
        self.loaded = True
        self._take(stored, sorted(self._rows.keys() - {row.id for row in stored}))
        self._unsure = False

    def _take(self, stored: Sequence[SubscriptionRow], deleted: Sequence[str]) -> None:
        changed = [row.id for row in stored if self._take_row(row)]
        for id_ in deleted:
            self._rows.pop(id_, None)
        changed += [id_ for id_ in deleted if self._index.remove(id_)]
        if changed:
            self._changed(*changed)

    def _take_row(self, row: SubscriptionRow) -> bool:
        before = self._rows.get(row.id)
        self._rows[row.id] = row
        try:
            subscription = self._renewed(before, row) or from_row(row)
        except ValueError as error:
            logger.error(  # noqa: TRY400 - the reason is all there is to say
                "subscription not understood", extra={"subscription": row.id, "reason": str(error)}
            )
            return False
        if self._index.get(row.id) == subscription:
            return False
        self._index.put(subscription)
        return True

    def _renewed(self, before: SubscriptionRow | None, row: SubscriptionRow) -> Subscription | None:
        # Each server does that three times a minute, and may want a thousand repositories, which
        # would take 12 ms to read.
        known = self._index.get(row.id)
        if known is None or before is None or known.expires_at != before.expires_at:
            return None
        if replace(before, expires_at=row.expires_at) != row:
            return None
        return replace(known, expires_at=row.expires_at)

    async def put(self, new: NewSubscription, now: datetime) -> Subscription:
        """
        Add a subscription; the same name again replaces it, and keeps it paused if it was.

        Pausing is a person's decision, and subscribing again what every server does at its start.

        Raises:
            LogUnavailable: it was not stored.
        """
        async with self._writing:
            await self._take_over()
            await self._forget_long_ended(now)
            subscription = await self._stored(
                lambda: _replacing(self._named(new.name), new, now), id_of(new.name)
            )
            # Ids were random once; a subscription of that time ends when its name comes again.
            for old in self._named(new.name):
                if old.id != subscription.id:
                    await self._delete(old.id)
            return subscription

    def _named(self, name: str) -> list[Subscription]:
        return [subscription for subscription in self._index.all() if subscription.name == name]

    async def renew(
        self, subscription_id: str, lease: timedelta, now: datetime
    ) -> Subscription | None:
        """Move a lease's end to now + lease; None when the subscription is not known."""
        return await self._change(subscription_id, lambda s: replace(s, expires_at=now + lease))

    async def pause(self, subscription_id: str) -> Subscription | None:
        """Send nothing until it is resumed; None when the subscription is not known."""
        return await self._change(subscription_id, lambda s: replace(s, paused=True))

    async def resume(self, subscription_id: str) -> Subscription | None:
        """Go on where it was paused; None when the subscription is not known."""
        return await self._change(subscription_id, lambda s: replace(s, paused=False))

    async def _change(
        self, subscription_id: str, change: Callable[[Subscription], Subscription]
    ) -> Subscription | None:
        async with self._writing:
            await self._take_over()  # or what another hub has just changed would be undone
            return await self._stored(
                lambda: change(known) if (known := self._index.get(subscription_id)) else None,
                subscription_id,
            )

    async def delete(self, subscription_id: str) -> bool:
        """Forget a subscription; False when it was not known."""
        async with self._writing:
            await self._take_over()
            if self._index.get(subscription_id) is None:
                return False
            await self._delete(subscription_id)
            return True

    async def _stored(self, make: Callable[[], Made], subscription_id: str) -> Made:
        # What another hub does between reading and storing is read, and the change made of that.
        for _ in range(ATTEMPTS):
            subscription = make()
            if subscription is None:
                return subscription
            row = to_row(subscription)
            if await self._log.put_subscription(row, self._rows.get(subscription_id)):
                self._rows[row.id] = row
                self._index.put(subscription)
                self._changed(row.id)
                return subscription
            await self._take_all()
        raise LogUnavailable("other hubs change this subscription all the time")

    async def _delete(self, subscription_id: str) -> None:
        await self._log.delete_subscription(subscription_id)
        self._rows.pop(subscription_id, None)
        self._index.remove(subscription_id)
        self._changed(subscription_id)

    async def _forget_long_ended(self, now: datetime) -> None:
        for subscription in self.all():
            if subscription.expires_at < now - FORGET_AFTER:
                await self._delete(subscription.id)

    def _changed(self, *ids: str) -> None:
        watchers = [watcher for id_ in ids for watcher in self._watchers.get(id_, ())]
        for listener in watchers + self._listeners:
            listener()

    def get(self, subscription_id: str) -> Subscription | None:
        """One subscription, as far as this hub knows."""
        return self._index.get(subscription_id)

    async def ensure_loaded(self) -> None:
        """
        Return when the subscriptions are known.

        Raises:
            LogUnavailable: they are not, and the log cannot be asked.
        """
        if not self.loaded:
            async with self._writing:
                await self._take_over()

    async def find(self, subscription_id: str) -> Subscription | None:
        """
        One subscription, which may have been made at another hub a moment ago.

        Raises:
            LogUnavailable: it is not known here, and the log cannot be asked.
        """
        if self._index.get(subscription_id) is None:
            async with self._writing:
                await self._take_over()
        return self._index.get(subscription_id)

    def all(self) -> list[Subscription]:
        """Every subscription, by name."""
        return self._index.all()

    def match(
        self,
        keys: frozenset[str],
        refs: Sequence[str],
        now: datetime,
        paths: frozenset[str] | None = None,
    ) -> tuple[list[str], list[Mismatch]]:
        """The names of those that take a push, and the nearest that do not: see `Index.match`."""
        return self._index.match(keys, refs, now, paths)


def _replacing(known: list[Subscription], new: NewSubscription, now: datetime) -> Subscription:
    callback = new.callback
    if callback is not None and not new.secret_given:
        kept = (s.callback for s in known if s.callback and s.callback.url == callback.url)
        callback = next(kept, callback)
    return Subscription(
        id=id_of(new.name),
        name=new.name,
        wants=new.wants,
        expires_at=now + new.lease,
        paused=any(subscription.paused for subscription in known),
        callback=callback,
        since=next((s.since for s in known if s.callback), new.since) if callback else "",
    )
