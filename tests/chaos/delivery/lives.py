"""What every life has in common: it ends when its work is done, and tells what was seen of it."""

import asyncio
import json
import logging
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from cd4sources.locking import DataUnusable
from tests.chaos.delivery.tracing import forked

POLL_SECONDS = 0.2
LIFE_SECONDS = 20.0
"""A life that takes longer is stuck."""

PAUSE_SECONDS = 0.02

REFUSED = 75
"""Status of a life that could not have its directory, and said so: to be started again."""


_logger = logging.getLogger(__name__)


class Seen:
    """What was seen of a life from within."""

    def __init__(self, file: Path) -> None:
        """Tell it in a file, outside the directory that is watched."""
        self._file = file
        self._failures: dict[str, None] = {}
        self._offered: str | None = None
        self._lost = False

    def failed(self, message: str) -> None:
        """A failure was shown."""
        self._failures[message] = None

    def offers(self, version: str | None) -> None:
        """A version is offered, or none."""
        self._lost = self._lost or bool(self._offered and not version)
        self._offered = version

    async def until(self, done: Callable[[], bool]) -> None:
        """Look again and again until the work is done, then tell."""
        try:
            async with asyncio.timeout(LIFE_SECONDS):
                while not done():
                    await asyncio.sleep(PAUSE_SECONDS)
        finally:
            told = {"failures": list(self._failures), "lost": self._lost}
            self._file.write_text(json.dumps(told))


def lives(life: Coroutine[Any, Any, int]) -> int:
    """Live; a directory that cannot be had is told, and no crash."""
    status = REFUSED
    try:
        status = asyncio.run(life)
    except* DataUnusable as refused:
        _logger.warning(str(refused))
    return status


def lived(life: Callable[[], int]) -> None:
    """Live one life in a process of its own, undisturbed."""
    _, status = os.waitpid(forked(life), 0)
    assert status == 0
