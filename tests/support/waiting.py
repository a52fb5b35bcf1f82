"""Waiting for conditions, with a deadline."""

import asyncio
from collections.abc import Callable

DEADLINE_SECONDS = 30.0  # of a busy machine
PAUSE_SECONDS = 0.01


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():
            await asyncio.sleep(PAUSE_SECONDS)
