"""What the log tells of while somebody looks: deliveries that arrive meanwhile were not missed."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec

from hub.log.base import Log, News
from hub.log.values import Gap


class _Repository(msgspec.Struct):
    keys: frozenset[str]


class _Data(msgspec.Struct):
    repository: _Repository
    ref: str
    after: str | None = None
    delivery_id: str = ""


class _Notification(msgspec.Struct):
    data: _Data


_DECODER = msgspec.json.Decoder(_Notification)


class Heard:
    """What was told since somebody began to listen."""

    def __init__(self) -> None:
        self._told: defaultdict[tuple[str, str | None], list[frozenset[str]]] = defaultdict(list)
        self._deliveries: set[str] = set()
        self._news = asyncio.Event()

    def add(self, told: Sequence[_Data]) -> None:
        """More was told."""
        for one in told:
            self._told[one.ref, one.after].append(one.repository.keys)
            self._deliveries.add(one.delivery_id)
        self._news.set()

    def has(self, keys: frozenset[str], ref: str, after: str | None) -> bool:
        """Whether somebody was told that a ref stands there."""
        return any(not told.isdisjoint(keys) for told in self._told.get((ref, after), ()))

    async def all_of(self, deliveries: Collection[str], seconds: float) -> None:
        """Wait until all of these were told of, by their ids, or so long."""
        waited = frozenset(deliveries)
        await self.until(lambda: waited <= self._deliveries, seconds)

    async def until(self, is_enough: Callable[[], bool], seconds: float) -> None:
        """Wait until what was told is enough, or so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not is_enough():
                    self._news.clear()
                    await self._news.wait()


class Hearing:
    """Listens to a log for all who look."""

    def __init__(self, log: Log) -> None:
        """
        Args:
            log: not opened yet.
        """
        self._open: list[Heard] = []
        log.listen(self._tell)

    @contextmanager
    def on(self) -> Iterator[Heard]:
        """Listen from now on."""
        heard = Heard()
        self._open.append(heard)
        try:
            yield heard
        finally:
            self._open.remove(heard)

    def _tell(self, news: News) -> None:
        if not self._open or isinstance(news, Gap):
            return
        told = [_DECODER.decode(event.message).data for event in news]
        for heard in self._open:
            heard.add(told)
