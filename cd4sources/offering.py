"""
What a server offers of one target: the version that is current, here as on disk.

A disk that is full may take only half of a change. Then what it took is offered, and the next look
at the sources does the rest.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cd4sources.keeping.store import Store, UnknownVersion
from cd4sources.keeping.versions import Built, Record
from cd4sources.targets import Target
from cd4sources.undisturbed import in_thread
from cd4sources.waiting import Waiters

logger = logging.getLogger(__name__)


class Offer:
    """
    What is offered, and what it is chosen from.

    Attributes:
        current: What is offered, None for nothing yet.
        newest: What the sources gave last, current or not.
        pinned: The version that stays current, empty for none.
        watchers: Woken when `current` changes.
    """

    def __init__(self, target: Target, store: Store) -> None:
        """
        Begin with what an earlier life published.

        Args:
            target: Whose versions.
            store: Where they are.
        """
        self._target = target
        self._name = target.name
        self._store = store
        self._changing = asyncio.Lock()
        self.current: Record | None = self._meant(store.current(self._name))
        self.newest = store.newest(self._name) or self.current
        self.pinned: str = store.pinned(self._name)
        self.watchers = Waiters()

    def gives(self, version: str) -> bool:
        """Tell whether the sources give this version: when it is damaged, it is made again."""
        return self.newest is not None and self.newest.version == version

    def noted(self, version: str) -> None:
        """Remember that a client runs a version: it is kept."""
        self._store.noted(self._name, version)

    async def kept(self, version: str) -> Record | None:
        """A version that is on disk whole."""
        return await asyncio.to_thread(self._store.get, self._name, version)

    async def is_done(self, version: str) -> bool:
        """Tell whether nothing is left to do for a version that the sources give."""
        # On disk alone it may look so: when it did not take the last of it.
        return self.gives(version) and await asyncio.to_thread(
            self._store.is_offered, self._name, version
        )

    async def put(self, made: Built | Record) -> None:
        """
        Offer what the sources give now, unless another version is pinned.

        Args:
            made: What was built, or a version that is kept.

        Raises:
            OSError: The disk does not take it, or not all of it.
        """
        async with self._change():
            if isinstance(made, Built):
                self.newest = await in_thread(self._store.publish, made)
            else:
                await in_thread(self._store.offer, self._name, made.version)
                self.newest = made

    async def pin(self, version: str) -> None:
        """
        Offer a version, and no other one until it is unpinned.

        Raises:
            UnknownVersion: It is not kept, or made of other repositories than are configured now.
            OSError: The disk does not take it.
        """
        found = await self.kept(version)
        if found and not self._is_meant(found):
            raise UnknownVersion(f"{version} of {self._name} is made of other repositories")
        async with self._change():
            await in_thread(self._store.pin, self._name, version)

    async def unpin(self) -> None:
        """Offer the newest version again. Raises OSError when the disk does not take it."""
        async with self._change():
            await in_thread(self._store.unpin, self._name)

    async def previous(self) -> str:
        """
        The version that was current before; once that is pinned: the one before it.

        Raises:
            UnknownVersion: None is kept.
        """
        found = await asyncio.to_thread(self._store.previous, self._name, self._is_meant)
        if found is None:
            raise UnknownVersion(f"no version of {self._name} from before is kept here")
        return found.version

    async def is_half_pinned(self) -> bool:
        """Tell whether a pin was not done to its end, or its version was not to be had before."""
        if not self.pinned or (self.current and self.current.version == self.pinned):
            return False
        return self._meant(await self.kept(self.pinned)) is not None

    async def finish_pin(self) -> None:
        """Do the rest of it. Raises OSError when the disk does not take it."""
        async with self._change():
            if self.pinned:
                await in_thread(self._store.pin, self._name, self.pinned)

    async def refuse_lost_pin(self) -> None:
        """Raises UnknownVersion when the pinned version is not to be had."""
        if (pinned := self.pinned) and self._meant(await self.kept(pinned)) is None:
            raise UnknownVersion(f"{self.lost_pin}: {self.unpin_step}")

    @property
    def lost_pin(self) -> str:
        """Why a pinned version that is not to be had costs the target its offer."""
        lost = "damaged, gone, or made of other repositories"
        return f"{self.pinned} of {self._name} is pinned, but {lost}"

    @property
    def unpin_step(self) -> str:
        """What to do then."""
        return f"offer the newest with `directcd versions unpin {self._name}`, or pin another"

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[None]:
        """Offer here what is offered on disk afterwards, and wake everybody who watches."""
        async with self._changing:
            try:
                yield
            finally:
                self.pinned = await asyncio.to_thread(self._store.pinned, self._name)
                current = await asyncio.to_thread(self._store.current, self._name)
                self._announce(self._meant(current))

    def _announce(self, record: Record | None) -> None:
        """What cannot be read any more changes nothing."""
        if record is None or record == self.current:
            return
        self.current = record
        self.watchers.wake()
        keys = {"target": record.target, "version": record.version}
        logger.info("version published", extra=keys)

    def _meant(self, record: Record | None) -> Record | None:
        """What was published before, unless the target has been pointed elsewhere since."""
        return record if record and self._is_meant(record) else None

    def _is_meant(self, record: Record) -> bool:
        made_of = [(one.url, one.ref) for one in record.repositories]
        return made_of == [(one.url, one.ref or "HEAD") for one in self._target.repositories]
