"""What the hubs on one log remember of the looks at each source's forge."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from hub.log.base import Log

NOTE = "recovery:"


class Remembered(msgspec.Struct, frozen=True):
    """
    The looks at one source's forge.

    Attributes:
        asked_at: when the forge was last asked everywhere for what it could not deliver.
        looked_at: when it was last looked at.
        repositories: how many were.
        missed: how many pushes were ever found that no delivery had told of.
        troubles: what could not be asked the last time, and what to do about it.
    """

    asked_at: datetime | None = None
    looked_at: datetime | None = None
    repositories: int = 0
    missed: int = 0
    troubles: tuple[str, ...] = ()


async def remembered(log: Log, source: str) -> Remembered:
    """What is known of one source. Raises LogUnavailable."""
    return _read(await log.noted(f"{NOTE}{source}"))


async def all_remembered(log: Log, sources: Iterable[str]) -> dict[str, Remembered]:
    """What is known of some sources, of those that were ever looked at. Raises LogUnavailable."""
    notes = {name: await log.noted(f"{NOTE}{name}") for name in sources}
    return {name: _read(note) for name, note in notes.items() if note}


async def remember(log: Log, source: str, looks: Remembered) -> None:
    """Know this of a source instead. Raises LogUnavailable."""
    await log.note(f"{NOTE}{source}", msgspec.to_builtins(looks))


def _read(value: dict[str, Any] | None) -> Remembered:
    try:
        return msgspec.convert(value or {}, Remembered)
    except msgspec.ValidationError:  # a later version's, or somebody else's
        return Remembered()
