"""
Whether a new program can run beside the old one: as the settings say, or as swaps have shown.

A program whose address is taken mostly ends at once; which address it wanted, nobody tells. So when
its predecessor listens anywhere, it is tried without it: what is healthy then was in its way.
"""

import asyncio
import logging

from cd4sources.delivery.holders import places_of
from cd4sources.delivery.programs import Ended, Program, Unhealthy
from cd4sources.running.commands import members_of, owned_by
from cd4sources.settings import ClientSettings

NEXT_STEP = (
    "let directcd listen for it (sockets; directcd pull: --socket), or let it set SO_REUSEPORT: "
    "then nothing is down during a swap"
)

logger = logging.getLogger(__name__)


class Overlap:
    """
    What is known of a program beside its predecessor.

    Args:
        settings: What they say, and the data directory that programs work for.

    Attributes:
        possible: Whether both can run at once; None while that is not known.
    """

    def __init__(self, settings: ClientSettings) -> None:
        """Know what the settings say."""
        said = settings.overlap
        self.possible = said if isinstance(said, bool) else None
        self._data = settings.data

    async def is_in_doubt(self, error: Unhealthy, old: Program | None) -> bool:
        """Whether a new program may have failed because an older one has its address."""
        if self.possible is not None or not isinstance(error, Ended) or error.status <= 0:
            return False
        return bool(await asyncio.to_thread(self._places_of_others, old, None))

    async def ran_beside(self, old: Program | None, new: Program) -> None:
        """Learn that both can run at once, if both listen at the same place."""
        if self.possible is None and await asyncio.to_thread(self._share, old, new):
            self.possible = True

    def helped_to_be_alone(self, version: str) -> None:
        """Learn that only one of them can run at a time."""
        if self.possible is None:
            self.possible = False
            keys = {"version": version, "next": NEXT_STEP}
            logger.warning(
                "program is healthy without the old one, and was not beside it: "
                "the old one is stopped first from now on",
                extra=keys,
            )

    def _share(self, old: Program | None, new: Program) -> bool:
        # A program may begin to listen only when it is called healthy: that proves nothing.
        return bool(self._places_of_others(old, new) & places_of(members_of(new.tree)))

    def _places_of_others(self, old: Program | None, new: Program | None) -> set[str]:
        """Where older programs listen, also those of an earlier life of this client."""
        older = owned_by(self._data) | (members_of(old.tree) if old else frozenset())
        return places_of(older - (members_of(new.tree) if new else frozenset()))
