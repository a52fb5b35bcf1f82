"""Reading what a log holds: anybody may have put something there."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

import msgspec

T = TypeVar("T")
R = TypeVar("R")


def readable(read: Callable[[T], R], entries: Iterable[T]) -> list[R]:
    """What the entries say; those that no hub wrote say nothing, and hide nothing."""
    found = []
    for entry in entries:
        with suppress(ValueError, LookupError, TypeError, OverflowError, msgspec.MsgspecError):
            found.append(read(entry))
    return found
