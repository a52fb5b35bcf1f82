"""
Repositories that were renamed or transferred: whoever knows the old name still hears of them.

A forge's own identifier survives a rename, and most forges do not announce one: that a known
identifier comes under another name is all there is to see. What a source's repositories were called
is kept in memory and noted in the log; a delivery never waits for the log longer than a moment, and
only for a repository that this process has not heard of before.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec

from adapters import Outcome, Repository
from hub.explaining import Explained, explain_old_name
from hub.log.base import Log, LogUnavailable
from hub.names import Name, Names, called, former, keys_of, without
from hub.reaching import Push, reach
from hub.sources import Source
from hub.subscriptions import Registry

logger = logging.getLogger(__name__)

PREFIX = "repository:"
MOST_REPOSITORIES = 50_000  # about 1 KB each; beyond that the one known longest is forgotten
RECALL_SECONDS = 0.25  # that a repository's first delivery waits for what is noted of it
CLOSE_SECONDS = 1.0  # that a hub which stops waits for its last notes
RETRY_SECONDS = 2.0  # between two attempts to write while the log is away

Identity = tuple[str, int | str]
"""The source's name, and the repository's identifier at its forge."""


class Noted(msgspec.Struct, frozen=True):
    """A repository as it is noted in the log."""

    source: str
    id: int | str
    names: Names


class Renames:
    """What the repositories of one hub's sources were called."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._loaded = False
        self._names: dict[Identity, Names] = {}
        self._owners: dict[tuple[str, str], Identity] = {}  # by the source's name and a key
        self._unwritten: set[Identity] = set()
        self._changed = asyncio.Event()

    async def notice(self, source: Source, outcome: Outcome) -> Names:
        """The names a delivery's repository had before, now that it is known to be called so."""
        repository = outcome.repository
        if repository is None or not repository.id or not repository.keys:
            return ()
        identity = (source.name, repository.id)
        names = self._names.get(identity)
        if names is None or outcome.former_name or not repository.keys <= names[0].keys:
            names = await self._learn(source, identity, repository, outcome.former_name)
        return _spoken(source, names[1:]) if len(names) > 1 else ()

    def former(self, source: Source, repository: Repository | None) -> Names:
        """The other names of a repository, as far as this process knows."""
        if repository is None or not repository.id:
            return ()
        names = self._names.get((source.name, repository.id), ())
        return _spoken(source, without(names, repository.keys))

    def all_keys(self, source: str, keys: frozenset[str]) -> frozenset[str]:
        """The keys of every name of the repositories that have these, as far as is known here."""
        owners = {self._owners.get((source, key)) for key in keys}
        return keys.union(*(keys_of(self._names[owner]) for owner in owners if owner))

    async def load(self) -> None:
        """Take over what is noted; what cannot be read now is read before anything is written."""
        try:
            await self._load()
        except LogUnavailable as error:
            logger.warning("names of repositories not read", extra={"reason": str(error)})

    async def run(self) -> None:
        """Note what was learnt, as soon as it is and the log takes it, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.write()
            except LogUnavailable as error:
                logger.warning("names of repositories not noted", extra={"reason": str(error)})
                await asyncio.sleep(RETRY_SECONDS)
                self._changed.set()

    async def close(self) -> None:
        """Note what is left; a log that does not take it now keeps nobody from stopping."""
        with suppress(LogUnavailable, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.write()

    async def write(self) -> None:
        """
        Note what was learnt.

        Raises:
            LogUnavailable: not all of it was noted; the next call goes on.
        """
        if not self._loaded:
            await self._load()
        for identity in tuple(self._unwritten):
            await self._write(identity)

    # --- learning -------------------------------------------------------------------------------

    async def _learn(
        self, source: Source, identity: Identity, repository: Repository, former_name: str
    ) -> Names:
        if identity not in self._names:
            await self._recall(identity)
        names = self._names.get(identity, ())
        if former_name and former_name != repository.full_name:
            before = former(repository, former_name)
            before = replace(before, keys=source.spoken_for(before.keys))
            if before.keys and self._is_free(identity, before.keys):
                names = called(names, before)
        if names and names[0].keys.isdisjoint(repository.keys):
            keys = {"source": source.name, "old": names[0].full_name, "new": repository.full_name}
            logger.info("repository renamed", extra=keys)
        names = called(names, Name(repository.full_name, repository.keys))
        for key in repository.keys:
            self._take_from(self._owners.get((source.name, key)), identity, repository.keys)
        self._put(identity, names)
        self._note(identity)
        return names

    def _take_from(self, other: Identity | None, identity: Identity, keys: frozenset[str]) -> None:
        """An old name was given to another repository: it is no longer a name of the first."""
        if other is not None and other != identity:
            self._put(other, without(self._names[other], keys))
            self._note(other)

    def _is_free(self, identity: Identity, keys: Iterable[str]) -> bool:
        return all(self._owners.get((identity[0], key)) in {None, identity} for key in keys)

    def _put(self, identity: Identity, names: Names) -> None:
        source = identity[0]
        for key in keys_of(self._names.pop(identity, ())):
            self._owners.pop((source, key), None)
        if not names:
            return
        self._names[identity] = names
        self._owners |= {(source, key): identity for key in keys_of(names)}
        if len(self._names) > MOST_REPOSITORIES:
            oldest = next(iter(self._names))
            self._put(oldest, ())
            self._note(oldest)

    # --- the log --------------------------------------------------------------------------------

    def _note(self, identity: Identity) -> None:
        self._unwritten.add(identity)
        self._changed.set()

    async def _recall(self, identity: Identity) -> None:
        # Another hub may know it. What cannot be read now is taken over before it is written.
        with suppress(LogUnavailable, TimeoutError):
            async with asyncio.timeout(RECALL_SECONDS):
                await self._read(identity)

    async def _read(self, identity: Identity) -> Noted | None:
        noted = _readable(await self._log.noted(_place(identity)))
        if noted:
            self._take(identity, noted.names)
        return noted

    async def _load(self) -> None:
        notes = await self._log.notes(PREFIX)
        found = [noted for value in notes.values() if (noted := _readable(value))]
        # What one is called now is no old name of another, whichever was noted last.
        for one in found:
            self._take((one.source, one.id), one.names[:1])
        for one in found:
            self._take((one.source, one.id), one.names[1:])
        self._loaded = True

    def _take(self, identity: Identity, noted: Names) -> None:
        """What was noted earlier, or by another hub, comes behind what is known here."""
        names = self._names.get(identity, ())
        known = keys_of(names)
        more = [one for one in noted if one.keys.isdisjoint(known)]
        free = tuple(one for one in more if self._is_free(identity, one.keys))
        if free:
            self._put(identity, names + free)

    async def _write(self, identity: Identity) -> None:
        noted = await self._read(identity) if identity in self._names else None
        names = self._names.get(identity, ())
        if noted is None or names != noted.names:
            value = msgspec.to_builtins(Noted(*identity, names), order="deterministic")
            await self._log.note(_place(identity), value if names else None)
        if names == self._names.get(identity, ()):  # else more was learnt meanwhile
            self._unwritten.discard(identity)


async def told_by_old_name(
    explained: Explained, outcome: Outcome, names: Names, registry: Registry, push: Push
) -> Explained:
    """The explanation of a push; it says who takes it by `names`, which its repository had."""
    repository, stale = outcome.repository, set(explained["matched"])
    if not repository or not names or not stale:
        return explained
    stale -= await _takers(registry, push, repository.keys)
    olds = [one.full_name for one in names if stale & await _takers(registry, push, one.keys)]
    return explain_old_name(explained, repository, olds, sorted(stale)) if stale else explained


async def _takers(registry: Registry, push: Push, keys: frozenset[str]) -> set[str]:
    events = [replace(event, keys=keys) for event in push.events]
    return set((await reach(registry, replace(push, events=events)))[0])


def _spoken(source: Source, names: Names) -> Names:
    spoken = (replace(name, keys=source.spoken_for(name.keys)) for name in names)
    return tuple(name for name in spoken if name.keys)


def _place(identity: Identity) -> str:
    return f"{PREFIX}{identity[0]}:{identity[1]}"


def _readable(value: dict[str, Any] | None) -> Noted | None:
    try:
        noted = msgspec.convert(value, Noted)
    except msgspec.ValidationError:  # nothing is noted, or nothing that a hub wrote
        return None
    return noted if noted.names and all(name.keys for name in noted.names) else None
