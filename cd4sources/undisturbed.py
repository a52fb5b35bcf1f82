"""What must come to its end, however often whoever waits for it is cancelled."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def undisturbed(work: Coroutine[Any, Any, T]) -> T:
    """
    Bring something to its end; a cancellation that comes meanwhile is raised then.

    Raises:
        CancelledError: That, with the work's own error as its cause.
    """
    task = asyncio.create_task(work, name="undisturbed")
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None or task.cancelled():
        return task.result()
    raise cancelled from task.exception()


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do in a thread what changes something: no cancellation leaves it behind at work."""
    return await undisturbed(asyncio.to_thread(work, *args, **kwargs))
