"""One look at the forge of one source: what was missed, and having it told."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.forges.addresses import ForgeAddress
from hub.forges.errors import ForgeError
from hub.forges.git_refs import GitRefs, Tip
from hub.log.values import Head
from hub.recovery.following import Followed
from hub.recovery.found import Found
from hub.recovery.hearing import Heard
from hub.recovery.means import Means
from hub.recovery.reconciling import Reconciler
from hub.recovery.redelivering import Redeliverer
from hub.recovery.seen import MOST_HEADS, Heads, Looked, Memory, Missed, looked_at, missed
from hub.sources import Source

FIRST_LOOK = timedelta(days=1)  # how far back the forge is asked for what it could not deliver
MARGIN = timedelta(minutes=10)  # a delivery is listed when it is over, and clocks differ
ARRIVE_SECONDS = 4.0  # for what is delivered again
SETTLE_SECONDS = 2.5  # for what may be on its way: forges deliver a moment after a push


@dataclass(frozen=True)
class Forges:
    """
    How one source's forge is asked.

    Attributes:
        address: what is there.
        refs: asks where refs stand.
        redeliverer: has deliveries repeated; None where the forge cannot.
    """

    address: ForgeAddress
    refs: GitRefs
    redeliverer: Redeliverer | None


@dataclass(frozen=True)
class Asked:
    """
    What is to be looked at.

    Attributes:
        repositories: which.
        since: when the forge was last asked for what it could not deliver.
        is_thorough: whether it is asked for that everywhere, and not just where a ref stands
            elsewhere than was told.
        is_whole: whether nothing else is followed.
    """

    repositories: Sequence[Followed]
    since: datetime | None
    is_thorough: bool
    is_whole: bool


class Looker:
    """Looks at the forge of one source."""

    def __init__(self, source: Source, forges: Forges, means: Means) -> None:
        """
        Args:
            source: what may be told in its name.
            forges: how its forge is asked.
            means: shared by all.
        """
        self._source = source
        self._forges = forges
        self._means = means
        self.memory = Memory(means.log, source.name)

    async def close(self) -> None:
        """Close every connection."""
        await self._forges.refs.close()
        if self._forges.redeliverer:
            await self._forges.redeliverer.close()

    async def look(self, asked: Asked) -> Found:
        """
        Look for what was missed, and have it told.

        Raises:
            LogUnavailable: what was found could not all be told; the next look finds it again.
        """
        found = Found(self._means.clock(), len(asked.repositories))
        with self._means.hearing.on() as heard:
            looked = await self.memory.read()
            last = await _Look(self._forges, self._means, heard, looked, found).of(asked)
            reconciler = Reconciler(self._source, self._forges.address, self._means)
            for one in last.missed:
                found.synthesised += await reconciler.tell(one)
            await self.memory.write(last.looked_at(), always=last.doubted)
            if asked.is_whole:
                await self.memory.keep({one.path for one in asked.repositories})
        return found


class _Look:
    """One look, with what is heard meanwhile."""

    def __init__(
        self,
        forges: Forges,
        means: Means,
        heard: Heard,
        looked: Mapping[str, Looked],
        found: Found,
    ) -> None:
        self._forges = forges
        self._means = means
        self._heard = heard
        self._looked = looked
        self._found = found

    async def of(self, asked: Asked) -> "_Standing":
        """Where the refs stand, and what of it nobody was told in the end."""
        since = self._since(asked)
        if asked.is_thorough:
            await self._repeat(asked.repositories, since)
        first = await self._ask(asked.repositories)
        if first.missed and not asked.is_thorough:
            await self._repeat(first.of_missed(), since)
        return await self._settled(first)

    def _since(self, asked: Asked) -> datetime:
        earliest = self._found.at - FIRST_LOOK
        return max(asked.since - MARGIN, earliest) if asked.since else earliest

    async def _repeat(self, repositories: Sequence[Followed], since: datetime) -> None:
        if not self._forges.redeliverer or not repositories:
            return
        paths = [one.path for one in repositories]
        try:
            repeated = await self._forges.redeliverer.repeat(paths, since)
        except ForgeError as error:
            self._found.note(error)
            return
        for refused in repeated.refused:
            self._found.note(refused)
        self._found.redelivered += len(repeated.attempts)
        guids = [one.guid for one in repeated.attempts]
        await self._heard.all_of(guids, ARRIVE_SECONDS)

    async def _ask(self, repositories: Sequence[Followed]) -> "_Standing":
        at = self._means.clock()
        asked = await asyncio.gather(*map(self._tips, repositories))
        told = zip(repositories, asked, strict=True)
        tips = {one.path: tips for one, tips in told if tips is not None}
        here = [one for one in repositories if one.path in tips]
        heads = await self._means.log.heads("", MOST_HEADS)
        # Aside: of thousands of refs that takes longer than a delivery should wait.
        return await asyncio.to_thread(_compared, at, here, tips, heads, self._looked)

    async def _tips(self, repository: Followed) -> Mapping[str, Tip] | None:
        try:
            return await self._forges.refs.refs(repository.path, repository.prefixes)
        except ForgeError as error:
            self._found.note(error)
            return None

    async def _settled(self, first: "_Standing") -> "_Standing":
        """What is still missed after what may be on its way has had time to arrive."""
        if not first.missed:
            return first
        await self._heard.until(lambda: all(map(self._is_heard, first.missed)), SETTLE_SECONDS)
        # Where they stand now, and not before all that came: they may have moved on.
        last = await self._ask(first.repositories)
        last.doubted = {one.repository.path for one in (*first.missed, *last.missed)}
        silent = [one for one in last.missed if not self._is_heard(one)]
        # What moves while one looks is delivered: it is compared at the next look.
        last.moving = [one for one in silent if one.since >= first.at]
        self._found.is_moving = bool(last.moving)
        last.missed = [one for one in silent if one.since < first.at]
        return last

    def _is_heard(self, one: Missed) -> bool:
        return self._heard.has(one.repository.keys, one.ref, one.after)


@dataclass
class _Standing:
    """
    Where refs stood at a moment.

    Attributes:
        at: when.
        repositories: whose forge has told.
        tips: by the path of the repository.
        missed: those that nobody has told of.
        doubted: paths of repositories of which something else was known.
        moving: those that may be told of in a moment.
    """

    at: datetime
    repositories: Sequence[Followed]
    tips: Mapping[str, Mapping[str, Tip]]
    missed: list[Missed]
    doubted: set[str]
    moving: list[Missed] = field(default_factory=list)

    def of_missed(self) -> list[Followed]:
        """The repositories of which something was missed."""
        return list(dict.fromkeys(one.repository for one in self.missed))

    def looked_at(self) -> dict[str, Looked]:
        """What is to be remembered."""
        here = self.repositories
        found = {one.path: looked_at(one, self.tips[one.path], self.at) for one in here}
        for one in self.moving:
            path = one.repository.path
            found[path] = found[path].with_tip(one.ref, one.before)
        return found


def _compared(
    at: datetime,
    repositories: Sequence[Followed],
    tips: Mapping[str, Mapping[str, Tip]],
    heads: Sequence[Head],
    looked: Mapping[str, Looked],
) -> _Standing:
    known = Heads(heads)
    found = [
        one
        for repository in repositories
        for one in missed(repository, tips[repository.path], known, looked.get(repository.path))
    ]
    return _Standing(at, repositories, tips, found, {one.repository.path for one in found})
