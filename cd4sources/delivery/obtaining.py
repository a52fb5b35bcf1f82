"""Getting a version onto this disk, wherever it comes from: checked, kept, and told."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cd4sources.delivery.installed import Installed
from cd4sources.delivery.judging import Judge
from cd4sources.delivery.records import Delivered, Record
from cd4sources.http_errors import HttpError


class Obtaining(ABC):
    """
    Gets versions onto this disk.

    Args:
        installed: Where they go.
        judge: Who reports it.
        check: Raises HttpError for a version that is not to be taken.

    Attributes:
        check: The same, for those that are here already.
    """

    def __init__(self, installed: Installed, judge: Judge, check: Callable[[Record], None]) -> None:
        """Get nothing yet."""
        self._installed = installed
        self._judge = judge
        self.check = check

    async def has(self, record: Delivered) -> bool:
        """Tell whether a version is here whole."""
        return await asyncio.to_thread(self._installed.path, record) is not None

    async def get(self, record: Delivered) -> Path:
        """
        Return a version's executable, brought here unless it is here whole.

        Raises:
            HttpError: It is not to be taken, or cannot be had now.
            OSError: The disk does not take it.
        """
        started_at = datetime.now(UTC)
        self._judge.begins(record, "downloaded")
        try:
            self.check(record)
            path = here = await asyncio.to_thread(self._installed.path, record)
            path = path or await self._bring(record)
        except (HttpError, OSError) as error:
            told = self._installed.told(error)
            self._judge.report(record, "downloaded", "failed", started_at, told)
            raise
        self._judge.report(record, "downloaded", "unchanged" if here else "ok", started_at)
        return path

    @abstractmethod
    async def _bring(self, record: Delivered) -> Path:
        """Have it here, and return its executable. Raises as `get`."""
