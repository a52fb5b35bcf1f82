"""What a process gives each of its parts: when to end, and places to say how it gets on."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Life:
    """
    The life of one part of a process.

    Attributes:
        stopping: Set by the process when the part is to end.
        ready: Set by the part when it does what it is there for.
        standing: Says in a few words what the part does; the part puts its own here.
    """

    stopping: asyncio.Event
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    standing: Callable[[], str] = str


Part = Callable[[Life], Coroutine[Any, Any, None]]
