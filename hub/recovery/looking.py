"""One look at the forge of one source: what was missed, and having it told."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adapters import Outcome, Repository
from hub.forges.addresses import ForgeAddress
from hub.forges.errors import ForgeError
from hub.forges.git_refs import GitRefs, Tip
from hub.log.base import Log
from hub.receiving import limited
from hub.recovery.away import Away
from hub.recovery.following import Followed
from hub.recovery.hearing import Hearing
from hub.recovery.redelivering import Redeliverer
from hub.recovery.seen import Heads, Looked, Memory, Missed, heads_of, looked_at, missed
from hub.renaming import Renames
from hub.settings import RECONCILED
from hub.sources import Source
from hub.telling import Teller, Telling, change_of

logger = logging.getLogger(__name__)

FIRST_LOOK = timedelta(days=1)  # how far back the forge is asked for what it could not deliver
MARGIN = timedelta(minutes=10)  # a delivery is listed when it is over, and clocks differ
FORGOTTEN = timedelta(days=30)  # of a repository that nobody follows any more
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
class Means:
    """What all looks share: the log, who listens to it, who tells; former names, absences."""

    log: Log
    hearing: Hearing
    teller: Teller
    renames: Renames
    away: Away
    clock: Callable[[], datetime]


@dataclass
class Found:
    """
    What came of a look.

    Attributes:
        at: when it began.
        repositories: how many were looked at.
        redelivered: how many deliveries the forge was asked to repeat.
        synthesised: how many pushes the hub told itself.
        troubles: what could not be asked, and what to do about it.
    """

    at: datetime
    repositories: int = 0
    redelivered: int = 0
    synthesised: int = 0
    troubles: list[str] = field(default_factory=list)

    def note(self, error: ForgeError) -> None:
        """Take note of something that could not be asked."""
        sentence = f"{error}; {error.next_step}"
        if sentence not in self.troubles:
            self.troubles.append(sentence)


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
        self._memory = Memory(means.log, source.name)

    async def close(self) -> None:
        """Close every connection."""
        await self._forges.refs.close()
        if self._forges.redeliverer:
            await self._forges.redeliverer.close()

    async def look(
        self, repositories: Sequence[Followed], since: datetime | None, *, is_thorough: bool
    ) -> Found:
        """
        Look for what was missed, and have it told.

        Args:
            repositories: which.
            since: when the forge was last asked for what it could not deliver.
            is_thorough: whether it is asked for that everywhere, and not just where a ref stands
                elsewhere than was told.

        Raises:
            LogUnavailable: what was found could not all be told; the next look finds it again.
        """
        found = Found(self._means.clock(), len(repositories))
        with self._means.hearing.on():
            since = max(since - MARGIN, found.at - FIRST_LOOK) if since else found.at - FIRST_LOOK
            looked = await self._memory.read()
            if is_thorough:
                await self._repeat(repositories, since, found)
            first = await self._ask(repositories, looked, found)
            if first.missed and not is_thorough:
                await self._repeat(first.of_missed(), since, found)
            last = await self._settled(first, looked, found)
            for one in last.missed:
                await self._tell(one, found)
            fresh = {path: one for path, one in looked.items() if found.at - one.at < FORGOTTEN}
            await self._memory.write(fresh | last.looked_at())
        return found

    async def _repeat(
        self, repositories: Sequence[Followed], since: datetime, found: Found
    ) -> None:
        if not self._forges.redeliverer or not repositories:
            return
        paths = [one.path for one in repositories]
        try:
            repeated = await self._forges.redeliverer.repeat(paths, since)
        except ForgeError as error:
            found.note(error)
            return
        found.redelivered += len(repeated)
        await self._means.hearing.all_of([one.guid for one in repeated], ARRIVE_SECONDS)

    async def _ask(
        self, repositories: Sequence[Followed], looked: Mapping[str, Looked], found: Found
    ) -> "_Standing":
        at = self._means.clock()
        asked = await asyncio.gather(*(self._tips(one, found) for one in repositories))
        told = zip(repositories, asked, strict=True)
        tips = {one.path: tips for one, tips in told if tips is not None}
        here = [one for one in repositories if one.path in tips]
        standing = _Standing(at, here, tips)
        standing.compare(await heads_of(self._means.log), looked)
        return standing

    async def _tips(self, repository: Followed, found: Found) -> Mapping[str, Tip] | None:
        try:
            return await self._forges.refs.refs(repository.path, repository.prefixes)
        except ForgeError as error:
            found.note(error)
            return None

    async def _settled(
        self, first: "_Standing", looked: Mapping[str, Looked], found: Found
    ) -> "_Standing":
        """What is still missed after what may be on its way has had time to arrive."""
        if not first.missed:
            return first
        await self._means.hearing.until(
            lambda: all(map(self._is_heard, first.missed)), SETTLE_SECONDS
        )
        # Where they stand now, and not before all that came: they may have moved on.
        last = await self._ask(first.repositories, looked, found)
        last.missed = [one for one in last.missed if not self._is_told(one, first)]
        return last

    def _is_told(self, one: Missed, first: "_Standing") -> bool:
        # What moves while one looks is delivered: it is compared at the next look.
        return one.since >= first.at or self._is_heard(one)

    def _is_heard(self, one: Missed) -> bool:
        return self._means.hearing.has(one.repository.keys, one.ref, one.after)

    async def _tell(self, one: Missed, found: Found) -> None:
        outcome = limited(self._outcome(one), self._source)
        why = self._means.away.why(one.since)
        reason = f"no delivery told of this push{why}, the hub found it at the forge"
        details = {"found_for": self._source.name, "last_known_at": one.since.isoformat()}
        told = await self._means.teller.tell(
            Telling(
                self._source.provider,
                RECONCILED,
                outcome,
                reason,
                details=details,
                is_asked_for=False,
            )
        )
        logger.warning("a push that no delivery told of", extra=_facts(one, told.number))
        found.synthesised += not told.is_repeat

    def _outcome(self, one: Missed) -> Outcome:
        url = f"{self._forges.address.web_url}/{one.repository.path}"
        keys = one.repository.keys
        repository = Repository(keys, one.repository.path, None, f"{url}.git", "", url, "")
        change = change_of(one.ref, one.before, one.after, deleted=one.after is None)
        return Outcome(
            kind="push",
            notify=True,
            reason="found by comparing refs with the log",
            delivery_id="",
            event="push",
            repository=repository,
            changes=(change,),
        )


class _Standing:
    """Where refs stand, and which of them nobody has told of."""

    def __init__(
        self,
        at: datetime,
        repositories: Sequence[Followed],
        tips: Mapping[str, Mapping[str, Tip]],
    ) -> None:
        self.at = at
        self.repositories = repositories
        self.missed: list[Missed] = []
        self._tips = tips

    def compare(self, heads: Heads, looked: Mapping[str, Looked]) -> None:
        self.missed = [
            found
            for one in self.repositories
            for found in missed(one, self._tips[one.path], heads, looked.get(one.path))
        ]

    def of_missed(self) -> list[Followed]:
        return list(dict.fromkeys(one.repository for one in self.missed))

    def looked_at(self) -> dict[str, Looked]:
        here = self.repositories
        return {one.path: looked_at(one, self._tips[one.path], self.at) for one in here}


def _facts(one: Missed, delivery: int | None) -> dict[str, object]:
    where = {"repository": one.repository.path, "ref": one.ref}
    return {**where, "before": one.before, "after": one.after, "delivery": delivery}
