"""
Subscriptions: who wants to hear of what, for how long, and whether a push is that.

The rules (`Want`, `mismatch`) are pure; `Registry` keeps today's subscriptions in memory, indexed
by repository key, and writes every change through to the log.
"""

import asyncio
import re
import secrets
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache, partial

from adapters import repository_keys
from hub.log.base import Log, SubscriptionRow

_PATTERN = re.compile(r"[*?\[]")
_USER_INFO = re.compile(r"//[^/]*@")  # a password has no business in an explanation
WANTED_LIMIT = 3  # repositories a near miss names
FORGET_AFTER = timedelta(days=1)  # an ended lease explains what did not happen for so long
NEAREST_LIMIT = 3  # near misses an explanation names; more would bury the one that matters


@dataclass(frozen=True, slots=True)
class Want:
    """One repository somebody wants to hear of; `ref` is a full ref, a pattern, or "" for any."""

    url: str
    keys: frozenset[str]
    ref: str = ""

    def takes(self, keys: frozenset[str], ref: str) -> bool:
        """Whether a push to `ref` of the repository with these keys is wanted."""
        return not self.keys.isdisjoint(keys) and self.takes_ref(ref)

    def takes_ref(self, ref: str) -> bool:
        """Whether the ref alone is wanted."""
        return not self.ref or fnmatchcase(ref, self.ref)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A named rule with a lease; it counts until the lease ends."""

    id: str
    name: str
    wants: tuple[Want, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why one subscription does not take a push: the first condition that failed."""

    subscription: str
    failed: str
    wanted: str
    got: str


def full_ref(ref: str) -> str:
    """`main` as git means it: `refs/heads/main`. Full refs and "" (any) stay as they are."""
    return ref if not ref or ref.startswith("refs/") else f"refs/heads/{ref}"


def make_want(url: str, ref: str = "") -> Want:
    """
    A want from what a subscriber wrote.

    Raises:
        ValueError: the URL names no repository.
    """
    keys = repository_keys(url) or _local_key(url)
    if not keys:
        raise ValueError("the URL names no repository; write host/path, a clone URL or a file URL")
    return Want(_USER_INFO.sub("//", url), keys, full_ref(ref))


def _local_key(url: str) -> frozenset[str]:
    # A repository on the subscriber's own disk has no name a forge would know it by. It may be
    # subscribed to (nothing will match) so that one list of targets works with and without a forge.
    path = url.removeprefix("file://")
    return frozenset({f"file:{path}"}) if path.startswith("/") else frozenset()


def mismatch(
    subscription: Subscription, keys: frozenset[str], ref: str, now: datetime
) -> Mismatch | None:
    """Why the subscription does not take this push, or None when it does."""
    same_repository = [want for want in subscription.wants if not want.keys.isdisjoint(keys)]
    if not same_repository:
        wanted = _named_alike(subscription, keys)
        return Mismatch(subscription.name, "repository", wanted, ", ".join(sorted(keys)))
    if not any(want.takes_ref(ref) for want in same_repository):
        wanted = ", ".join(want.ref for want in same_repository[:WANTED_LIMIT])
        return Mismatch(subscription.name, "ref", wanted, ref)
    if subscription.expires_at <= now:
        until = subscription.expires_at.isoformat(timespec="seconds")
        return Mismatch(subscription.name, "lease", "a lease that is renewed", f"ended {until}")
    return None


def _named_alike(subscription: Subscription, keys: frozenset[str]) -> str:
    words = {_last_word(key) for key in keys}
    wants = subscription.wants
    alike = [want for want in wants if words & {_last_word(key) for key in want.keys}]
    return ", ".join(want.url for want in (alike or wants)[:WANTED_LIMIT])


class Registry:
    """Today's subscriptions."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._writing = asyncio.Lock()  # memory and log change together, one change at a time
        self._by_id: dict[str, Subscription] = {}
        self._by_key: defaultdict[str, set[str]] = defaultdict(set)
        self._by_last_word: defaultdict[str, set[str]] = defaultdict(set)

    async def load(self) -> None:
        """Take over what the log has stored."""
        for row in await self._log.subscriptions():
            self._index(_from_row(row))

    async def put(
        self, name: str, repositories: list[dict[str, str]], lease: timedelta, now: datetime
    ) -> Subscription:
        """
        Add a subscription; the same name again replaces it and keeps its id.

        Raises:
            ValueError: a URL names no repository.
            LogUnavailable: it was not stored.
        """
        wants = tuple(make_want(one["url"], one.get("ref", "")) for one in repositories)
        async with self._writing:
            await self._forget_long_ended(now)
            existing = next((s for s in self._by_id.values() if s.name == name), None)
            subscription_id = existing.id if existing else f"sub_{secrets.token_hex(8)}"
            return await self._store(Subscription(subscription_id, name, wants, now + lease))

    async def renew(
        self, subscription_id: str, lease: timedelta, now: datetime
    ) -> Subscription | None:
        """Move a lease's end to now + lease; None when the subscription is not known."""
        async with self._writing:
            known = self._by_id.get(subscription_id)
            return await self._store(replace(known, expires_at=now + lease)) if known else None

    async def delete(self, subscription_id: str) -> bool:
        """Forget a subscription; False when it was not known."""
        async with self._writing:
            if subscription_id not in self._by_id:
                return False
            await self._log.delete_subscription(subscription_id)
            self._unindex(subscription_id)
            return True

    async def _store(self, subscription: Subscription) -> Subscription:
        await self._log.put_subscription(_to_row(subscription))
        self._index(subscription)
        return subscription

    async def _forget_long_ended(self, now: datetime) -> None:
        ended = [s.id for s in self._by_id.values() if s.expires_at < now - FORGET_AFTER]
        for subscription_id in ended:
            await self._log.delete_subscription(subscription_id)
            self._unindex(subscription_id)

    def get(self, subscription_id: str) -> Subscription | None:
        """One subscription."""
        return self._by_id.get(subscription_id)

    def all(self) -> list[Subscription]:
        """Every subscription, by name."""
        return sorted(self._by_id.values(), key=lambda subscription: subscription.name)

    def match(
        self, keys: frozenset[str], refs: Sequence[str], now: datetime
    ) -> tuple[list[str], list[Mismatch]]:
        """
        The names of the subscriptions that take a push, and the nearest that do not.

        Args:
            keys: the repository's.
            refs: those that changed, at least one; a subscription that wants any of them matches.
            now: leases that ended before do not count.
        """
        matched: list[str] = []
        near: list[Mismatch] = []
        taken = cache(partial(_first_taken, refs))  # many subscriptions want the same ref
        for subscription in self._candidates(keys):
            wants = (taken(w.ref) for w in subscription.wants if not w.keys.isdisjoint(keys))
            ref = next(filter(None, wants), refs[0])
            failure = mismatch(subscription, keys, ref, now)
            if failure is None:
                matched.append(subscription.name)
            elif len(near) < NEAREST_LIMIT:
                near.append(failure)
        return sorted(matched), near

    def _candidates(self, keys: frozenset[str]) -> Iterable[Subscription]:
        # Only what could match, then what was probably meant (the same last word, another host or
        # owner): thousands of subscriptions must not be compared with every push.
        same = {id_ for key in keys for id_ in self._by_key.get(key, ())}
        alike = {id_ for key in keys for id_ in self._by_last_word.get(_last_word(key), ())}
        return [self._by_id[id_] for id_ in [*sorted(same), *sorted(alike - same)]]

    def _index(self, subscription: Subscription) -> None:
        self._unindex(subscription.id)
        self._by_id[subscription.id] = subscription
        for key in _keys(subscription):
            self._by_key[key].add(subscription.id)
            self._by_last_word[_last_word(key)].add(subscription.id)

    def _unindex(self, subscription_id: str) -> None:
        old = self._by_id.pop(subscription_id, None)
        for key in _keys(old) if old else ():
            _discard(self._by_key, key, subscription_id)
            _discard(self._by_last_word, _last_word(key), subscription_id)


def _first_taken(refs: Sequence[str], wanted: str) -> str:
    if not wanted:
        return refs[0]
    if not _PATTERN.search(wanted):  # git allows none of these in a ref: it is no pattern
        return wanted if wanted in refs else ""
    return next((ref for ref in refs if fnmatchcase(ref, wanted)), "")


def _keys(subscription: Subscription) -> set[str]:
    return {key for want in subscription.wants for key in want.keys}


def _last_word(key: str) -> str:
    return key.rpartition("/")[2]


def _discard(index: defaultdict[str, set[str]], key: str, member: str) -> None:
    index[key].discard(member)
    if not index[key]:
        del index[key]


def _to_row(subscription: Subscription) -> SubscriptionRow:
    wants = [{"url": want.url, "ref": want.ref} for want in subscription.wants]
    body = {"repositories": wants}
    return SubscriptionRow(subscription.id, subscription.name, body, subscription.expires_at)


def _from_row(row: SubscriptionRow) -> Subscription:
    wants = tuple(make_want(item["url"], item.get("ref", "")) for item in row.body["repositories"])
    return Subscription(row.id, row.name, wants, row.expires_at)
