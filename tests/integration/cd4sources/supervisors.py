"""Supervisors in this process, and what an earlier life left running."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cd4sources.delivery.programs import start
from cd4sources.delivery.sockets import Sockets
from cd4sources.delivery.supervising import Supervisor
from cd4sources.http import Http
from cd4sources.settings import ClientSettings


class Lenient:
    """Never gives a version up."""

    def is_steady(self, version: str) -> None:
        """Take note of nothing."""

    async def gives_up(self, version: str, reason: str) -> bool:
        """Have it started again."""
        return False


@asynccontextmanager
async def supervised(
    tmp_path: Path, sockets: Sockets | None = None, /, **changes: Any
) -> AsyncIterator[Supervisor]:
    settings = ClientSettings(data=tmp_path, **{"settle_seconds": 0.2} | changes)
    async with Http() as http, asyncio.TaskGroup() as tasks:
        supervisor = Supervisor(settings, http, tasks, Lenient(), sockets or Sockets())
        try:
            yield supervisor
        finally:
            await supervisor.stop()


async def left_behind(tmp_path: Path, app: Path) -> None:
    """Have a program run as v1 that nobody keeps: the client that started it was killed."""
    settings = ClientSettings(data=tmp_path)
    await start("v1", app, settings, (str(app),), ())


def nothing() -> None:
    """For swaps whose moment of health does not matter."""
