"""Which subscriptions take a push, and which nearly do, found by the repository's keys."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import cache, partial
from heapq import nsmallest
from typing import TypeVar

from hub.patterns import is_pattern, takes_ref
from hub.rules import Mismatch, Subscription, last_word, mismatch

NEAREST_LIMIT = 3  # near misses an explanation names; more would bury the one that matters

T = TypeVar("T")


class Index:
    """Subscriptions by id and by the keys they want."""

    def __init__(self) -> None:
        self._by_id: dict[str, Subscription] = {}
        self._by_key: defaultdict[str, set[str]] = defaultdict(set)
        self._by_last_word: defaultdict[str, set[str]] = defaultdict(set)

    def get(self, subscription_id: str) -> Subscription | None:
        """One subscription."""
        return self._by_id.get(subscription_id)

    def all(self) -> list[Subscription]:
        """Every subscription, by name."""
        return sorted(self._by_id.values(), key=lambda subscription: subscription.name)

    def match(
        self,
        keys: frozenset[str],
        refs: Sequence[str],
        now: datetime,
        paths: frozenset[str] | None = None,
    ) -> tuple[list[str], list[Mismatch]]:
        """
        The names of the subscriptions that take a push, and the nearest that do not.

        Args:
            keys: the repository's.
            refs: those that changed, at least one; a subscription that wants any of them matches.
            now: leases that ended before do not count.
            paths: the files that changed; None when they are not known to be all.
        """
        matched: list[str] = []
        near: list[Mismatch] = []
        alike = self._alike(keys)
        if not alike:
            return matched, near
        same = {id_ for key in keys for id_ in self._by_key.get(key, ())}
        taken = cache(partial(_first_taken, refs))  # many subscriptions want the same ref
        for subscription in self._sorted(same):
            wants = (taken(w.ref) for w in subscription.wants if not w.keys.isdisjoint(keys))
            ref = next(filter(None, wants), refs[0])
            failure = mismatch(subscription, keys, ref, now, paths)
            if failure is None:
                matched.append(subscription.name)
            elif len(near) < NEAREST_LIMIT:
                near.append(failure)
        for subscription in self._sorted(alike - same, NEAREST_LIMIT - len(near)):
            near += filter(None, [mismatch(subscription, keys, refs[0], now, paths)])
        return sorted(matched), near

    def _alike(self, keys: frozenset[str]) -> set[str]:
        # What was probably meant: the same last word, another host or owner. Of thousands few are
        # compared: a push to one of many repositories named `docs` must not wait for all of them.
        return {id_ for key in keys for id_ in self._by_last_word.get(last_word(key), ())}

    def _sorted(self, ids: set[str], most: int | None = None) -> list[Subscription]:
        some = sorted(ids) if most is None else nsmallest(most, ids)
        return [self._by_id[id_] for id_ in some]

    def put(self, subscription: Subscription) -> None:
        """Add one, or replace the one with its id."""
        old = self._by_id.get(subscription.id)
        if old is not None and old.wants == subscription.wants:
            self._by_id[subscription.id] = subscription
            return
        self.remove(subscription.id)
        self._by_id[subscription.id] = subscription
        for key in _keys(subscription):
            self._by_key[key].add(subscription.id)
            self._by_last_word[last_word(key)].add(subscription.id)

    def remove(self, subscription_id: str) -> bool:
        """Forget one; whether it was there."""
        old = self._by_id.pop(subscription_id, None)
        for key in _keys(old) if old else ():
            discard(self._by_key, key, subscription_id)
            discard(self._by_last_word, last_word(key), subscription_id)
        return old is not None


def _first_taken(refs: Sequence[str], wanted: str) -> str:
    if not is_pattern(wanted):
        return wanted if wanted in refs else "" if wanted else refs[0]
    return next((ref for ref in refs if takes_ref(wanted, ref)), "")


def _keys(subscription: Subscription) -> set[str]:
    return {key for want in subscription.wants for key in want.keys}


def discard(index: defaultdict[str, set[T]], key: str, member: T) -> None:
    """Take a member out of a set, and the set out of the index when nothing is left in it."""
    index[key].discard(member)
    if not index[key]:
        del index[key]
