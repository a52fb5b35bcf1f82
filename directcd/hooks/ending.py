"""When a rotation is over: whether anybody may still sign with the old secret, by the hub."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cd4sources.http import HttpError
from directcd.hooks import outcomes
from directcd.hooks.choosing import Chosen
from directcd.hooks.outcomes import Trouble
from directcd.hooks.overlap import Overlap
from directcd.hooks.proving import PAUSE_SECONDS, Proof
from directcd.hooks.turning import Turn
from directcd.hooks.witness import Witness
from directcd.why import Listed

AGAIN = "`directcd hook rotate` once more goes on from here"


@dataclass(frozen=True)
class Ending:
    """
    What decides it.

    Attributes:
        source: which is rotated.
        places: those that are turned over.
        overlap: its files.
        witness: the hub.
        is_all: whether these are all repositories of the file.
        settle_seconds: how long after its last delivery the old secret is kept: some are on their
            way.
    """

    source: str
    places: Sequence[Chosen]
    overlap: Overlap
    witness: Witness
    is_all: bool
    settle_seconds: float

    async def seen(self, turn: Turn) -> Turn:
        """
        A turn that no test can prove, with a push since that does.

        Raises:
            HttpError: the hub does not say.
        """
        for one in await self.witness.deliveries(self.source):
            if turn.desk.chosen.is_told_of(one.repository) and self._is_new(one):
                return replace(turn, proof=Proof(one.number, one.signed_by))
        return turn

    async def still_needed(self, *, are_proven: bool) -> Trouble | None:
        """
        Why the old secret must stay; None: it need not.

        Args:
            are_proven: whether every webhook is, and what it replaces is gone.
        """
        if not are_proven:
            return Trouble("not every webhook is proven", f"push to its repository; {AGAIN}")
        if not self.is_all:
            reason = "other webhooks of this source may sign with the old secret"
            return Trouble(reason, "`directcd hook rotate`, without a name")
        try:
            if others := self._others(await self.witness.deliveries(self.source)):
                step = f"`directcd hook rotate {others[0]}`, and once more for all"
                return Trouble(f"this source also had deliveries of {', '.join(others)}", step)
            if not await self._is_quiet():
                return Trouble("deliveries signed with the old secret still come", AGAIN)
        except HttpError as error:
            return outcomes.of_hub(error)
        return None

    def _is_new(self, one: Listed) -> bool:
        """Whether a delivery was signed with the new secret: its file has held it since then."""
        made_at = datetime.fromtimestamp(self.overlap.file.stat().st_mtime, UTC)
        return one.received_at >= made_at and one.signed_by == str(self.overlap.file)

    def _others(self, deliveries: Sequence[Listed]) -> list[str]:
        """Repositories of other places, whose newest delivery has not the new secret."""
        newest: dict[str, Listed] = {}
        for one in deliveries:
            newest.setdefault(one.repository, one)
        return sorted(
            key
            for key, one in newest.items()
            if key and not self._is_new(one)
            if not any(place.is_told_of(key) for place in self.places)
        )

    async def _is_quiet(self) -> bool:
        """Whether nothing more comes that is signed with the old secret."""
        clock = asyncio.get_running_loop().time
        begin = await self.witness.now(self.source)
        until = clock() + self.settle_seconds
        give_up = until + self.settle_seconds
        while clock() < until < give_up:
            await asyncio.sleep(min(PAUSE_SECONDS, self.settle_seconds))
            came = await self.witness.deliveries(self.source, begin)
            if any(one.signed_by == str(self.overlap.previous) for one in came):
                until = clock() + self.settle_seconds
            begin = replace(begin, delivery=max([begin.delivery, *(one.number for one in came)]))
        return until < give_up
