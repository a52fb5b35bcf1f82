"""
Small things that the hubs on one log remember together, each a JSON object under a name.

What belongs here is little, changes seldom and is wanted after a restart; it is kept until it is
forgotten.
"""

from typing import Any, Protocol

import msgspec

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(dict[str, Any])


class NoteStore(Protocol):
    """What is noted in a log. A note that is no JSON object was put there by others: it is none."""

    async def note(self, name: str, value: dict[str, Any] | None) -> None:
        """Remember something small under a name, replacing what was there; None forgets it."""

    async def noted(self, name: str) -> dict[str, Any] | None:
        """What is noted under a name."""

    async def notes(self, prefix: str) -> dict[str, dict[str, Any]]:
        """What is noted under names that begin so, by name; the names are in order."""


def written(value: dict[str, Any]) -> bytes:
    """A note as it is stored."""
    return _ENCODER.encode(value)


def read(stored: bytes | str) -> dict[str, Any]:
    """
    A note as it was written.

    Raises:
        msgspec.MsgspecError: it is no JSON object.
    """
    return _DECODER.decode(stored)
