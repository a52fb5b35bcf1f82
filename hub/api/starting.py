"""
Coroutines that seldom have to wait.

Python has this from 3.12 on, as https://docs.python.org/3/library/asyncio-task.html#eager-task-factory
"""

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any

Running = Coroutine[Any, None, None]


def start(running: Running, name: str | None = None) -> "asyncio.Task[None] | None":
    """
    Run a coroutine up to where it has to wait, and only then make it a task.

    To write to a peer that keeps up needs no wait: for thousands of them, tasks would cost more
    than the writing.

    Args:
        running: not begun yet. Until its first wait it has no task of its own: it must not ask for
            the current one, as `asyncio.timeout` and task groups do.
        name: of the task.

    Returns:
        The task, or None when the coroutine is done.

    Raises:
        Exception: what it raises before it has to wait.
    """
    try:
        waits_for = running.send(None)
    except StopIteration:
        return None
    return asyncio.get_running_loop().create_task(_rest(running, waits_for), name=name)


async def _rest(running: Running, waits_for: object) -> None:
    await _continued(running, waits_for)


@coroutine
def _continued(running: Running, waits_for: object) -> Generator[object, None, None]:
    try:
        yield waits_for  # in the name of the coroutine: it is woken when that has come
    except BaseException:
        running.close()
        raise
    yield from running.__await__()
