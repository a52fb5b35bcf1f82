"""Clients in this process, and what they have brought here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cd4sources.client import Client
from cd4sources.settings import ClientSettings

V1, V2, V3, V4, V5 = (f"v-00000000000{number}" for number in range(1, 6))
REPOSITORY = "https://user:secret@example.com/acme/shop.git=https://u:p@example.com/me/shop"
NOWHERE = "http://127.0.0.1:9"


def settings(data: Path, *servers: str, **changes: Any) -> ClientSettings:
    """Settings of a client that does not wait long for anything."""
    return ClientSettings(data=data, servers=servers, **{"settle_seconds": 0.15} | changes)


@asynccontextmanager
async def running(
    client_settings: ClientSettings, repository: str = REPOSITORY
) -> AsyncIterator[asyncio.Event]:
    """Keep a client running; set the event to stop it earlier."""
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Client(client_settings, [repository]).run(stopping))
        try:
            yield stopping
        finally:
            stopping.set()


def current(data: Path) -> str:
    """The version that was healthy last, empty for none."""
    link = data / "current"
    return link.readlink().name if link.is_symlink() else ""


def is_current(data: Path, version: str) -> bool:
    """For `functools.partial` in loops."""
    return current(data) == version
