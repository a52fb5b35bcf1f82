"""
Where refs stood when they were last looked at, or heard of: by that a missed push is known.

What was looked at is noted in the log: the hub may be away next.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from hub.forges.git_refs import Tip
from hub.log.base import Log
from hub.log.values import Head
from hub.patterns import is_pattern, takes_ref
from hub.recovery.following import Followed

MOST_HEADS = 200_000
NOTE = "refs-looked-at:"
AT_ONCE = 100  # notes that are written together


class Looked(msgspec.Struct, frozen=True):
    """
    What a look at one repository has found.

    Attributes:
        at: when.
        refs: what was looked for.
        tips: where the refs stood that there were.
    """

    at: datetime
    refs: tuple[str, ...]
    tips: dict[str, str]

    def with_tip(self, ref: str, tip: str | None) -> "Looked":
        """The same, with a ref that stands elsewhere, or is not there."""
        others = {name: one for name, one in self.tips.items() if name != ref}
        return Looked(self.at, self.refs, others | ({ref: tip} if tip else {}))

    def is_like(self, other: "Looked | None") -> bool:
        """Whether another look has found the same."""
        return other is not None and (self.refs, self.tips) == (other.refs, other.tips)


@dataclass(frozen=True, slots=True)
class Missed:
    """
    A ref that stands elsewhere than anybody has told.

    Attributes:
        repository: whose.
        ref: in full.
        before: where it was last known to stand; None when it was not there.
        after: where it stands; None when it is gone.
        since: when it was last known to stand there.
    """

    repository: Followed
    ref: str
    before: str | None
    after: str | None
    since: datetime


class Heads:
    """Where the forges' deliveries say that refs stand."""

    def __init__(self, heads: Iterable[Head]) -> None:
        """
        Args:
            heads: all that the log has.
        """
        self._heads = {head.subject: head for head in heads}

    def newest(self, repository: Followed, ref: str) -> Head | None:
        """What was last heard of a ref, by any of its repository's names."""
        subjects = (f"{key.replace('#', '%23')}#{ref}" for key in repository.keys)
        found = [head for subject in subjects if (head := self._heads.get(subject))]
        return max(found, key=lambda head: head.updated_at, default=None)


def missed(
    repository: Followed, tips: Mapping[str, Tip], heads: Heads, looked: Looked | None
) -> list[Missed]:
    """
    The refs of a repository that stand elsewhere than anybody has told.

    A ref of which nothing was known is not one of them: who follows it has looked when it began.

    Args:
        repository: which refs of it are followed.
        tips: where they stand.
        heads: what was heard of them.
        looked: what was found the last time.
    """
    named = {ref for ref in repository.refs if ref and not is_pattern(ref)}
    refs = {*named, *tips, *(looked.tips if looked else ())}
    found = [_missed(repository, ref, tips.get(ref), heads, looked) for ref in sorted(refs)]
    return [one for one in found if one]


def _missed(
    repository: Followed, ref: str, tip: Tip | None, heads: Heads, looked: Looked | None
) -> Missed | None:
    if not repository.takes(ref):
        return None
    head = heads.newest(repository, ref)
    if head and not (looked and looked.at > head.updated_at):
        before, since = head.after, head.updated_at
    elif looked and any(takes_ref(one, ref) for one in looked.refs):
        before, since = looked.tips.get(ref), looked.at
    else:
        return None
    stays = tip.is_at(before) if tip else before is None
    return None if stays else Missed(repository, ref, before, tip.object if tip else None, since)


def looked_at(repository: Followed, tips: Mapping[str, Tip], at: datetime) -> Looked:
    """What a look has found, to be remembered."""
    stood = {ref: tip.object for ref, tip in tips.items() if repository.takes(ref)}
    return Looked(at, repository.refs, stood)


class Memory:
    """
    What was found at one source: a note for each repository, written when that changes.

    It is read once: of several hubs one looks, which forgets it when another has taken over.
    """

    def __init__(self, log: Log, source: str) -> None:
        """
        Args:
            log: the hub's.
            source: its name.
        """
        self._log = log
        self._prefix = f"{NOTE}{source}:"
        self._known: dict[str, Looked] | None = None

    def forget(self) -> None:
        """Read it again the next time."""
        self._known = None

    async def read(self) -> Mapping[str, Looked]:
        """What was found the last time, by path. Raises LogUnavailable."""
        if self._known is None:
            notes = await self._log.notes(self._prefix)
            found = {name.removeprefix(self._prefix): _looked(one) for name, one in notes.items()}
            self._known = {path: looked for path, looked in found.items() if looked}
        return dict(self._known)

    async def write(self, found: Mapping[str, Looked], *, always: Collection[str]) -> None:
        """
        Remember what is new of it, and in any case that of some paths.

        Raises:
            LogUnavailable: not all of it is remembered.
        """
        known = self._known or {}
        news = [
            path
            for path, looked in found.items()
            if path in always or not looked.is_like(known.get(path))
        ]
        for start in range(0, len(news), AT_ONCE):
            some = news[start : start + AT_ONCE]
            await asyncio.gather(*(self._note(path, found[path]) for path in some))

    async def keep(self, paths: Collection[str]) -> None:
        """Forget the repositories that are none of these. Raises LogUnavailable."""
        for path in [one for one in self._known or () if one not in paths] if paths else ():
            await self._log.note(f"{self._prefix}{path}", None)
            if self._known:
                self._known.pop(path, None)

    async def _note(self, path: str, looked: Looked) -> None:
        await self._log.note(f"{self._prefix}{path}", msgspec.to_builtins(looked))
        if self._known is not None:
            self._known[path] = looked


def _looked(value: Any) -> Looked | None:
    try:
        return msgspec.convert(value, Looked)
    except msgspec.ValidationError:
        return None  # a later version's, or somebody else's
