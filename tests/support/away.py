"""A log that is away when a test says so."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from hub.log.base import LogUnavailable
from hub.log.sqlite import SqliteLog
from hub.log.values import Appended, DeliveryRecord, NewEvent
from tests.support.events import NOW


class AwayLog(SqliteLog):
    """The embedded log with what a log that is elsewhere has besides: it can be away."""

    def __init__(self, directory: Path, *, up: bool = True) -> None:
        super().__init__(directory)
        self._up = asyncio.Event()
        self.nonces: list[str] = []
        self.late = 0
        self.refusing = ""
        self.forgets_to_answer = False
        self.slow_seconds = 0.0
        self.slow_late_seconds = 0.0
        self.away_since = NOW
        if up:
            self.come_back()

    def go_away(self) -> None:
        """Take nothing from now on."""
        self._up.clear()

    def come_back(self) -> None:
        """Take everything again."""
        self._up.set()

    @property
    def trouble(self) -> tuple[datetime, str] | None:
        """Since when it is away."""
        return None if self._up.is_set() else (self.away_since, "connection refused")

    async def append(self, delivery: DeliveryRecord, events: Sequence[NewEvent]) -> Appended:
        """As the embedded log, unless it is away."""
        await asyncio.sleep(self.slow_seconds)
        return await self._take(delivery, events)

    async def _take(self, delivery: DeliveryRecord, events: Sequence[NewEvent]) -> Appended:
        if not self._up.is_set() or self.refusing:
            raise LogUnavailable(self.refusing or "connection refused")
        self.nonces.append(delivery.nonce)
        appended = await super().append(delivery, events)
        if self.forgets_to_answer:
            raise LogUnavailable("no answer")
        return appended

    async def append_late(self, delivery: DeliveryRecord, events: Sequence[NewEvent]) -> Appended:
        """Append unless it was done before."""
        self.late += 1
        await asyncio.sleep(self.slow_late_seconds)
        if delivery.nonce in self.nonces:
            return Appended(0, duplicate=True)
        return await self._take(delivery, events)

    async def wait_until_up(self) -> None:
        """Return when it is not away."""
        await self._up.wait()

    async def check(self) -> str:
        """As the embedded log, unless it is away."""
        if not self._up.is_set():
            raise LogUnavailable("connection refused")
        return await super().check()
