"""
Orphans of programs: adopted, so that they stay findable, and collected when they end.

As PID 1 of a container, or as a child subreaper, this process becomes the parent of every orphan
below it. asyncio collects the children it started itself within moments of their end, so whoever
is a zombie for longer is nobody's, and nobody's exit status is taken away.
See https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

from cd4sources.running.processes import ENDED, START_TIME, stat_fields

GRACE_SECONDS = 5.0
"""A child that has been a zombie for so long is not waited for."""

KILL_SECONDS = 10.0
KILL_PAUSE_SECONDS = 0.005

_PR_SET_CHILD_SUBREAPER = 36

Child = tuple[int, int]
"""A process id with the time it was started: ids are used again."""


async def reap_orphans() -> NoReturn:
    """Collect ended orphans for ever; cancel to end."""
    suspects: frozenset[Child] = frozenset()
    while True:
        await asyncio.sleep(GRACE_SECONDS)
        zombies = await asyncio.to_thread(_children, zombies=True) if _any_zombie() else frozenset()
        for pid, _ in suspects & zombies:
            _collect(pid)
        suspects = zombies - suspects


@asynccontextmanager
async def adopting() -> AsyncIterator[None]:
    """Be the parent of every orphan below this process, and at the end kill those that are left."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    reaping = asyncio.create_task(reap_orphans(), name="reap orphans")
    try:
        yield
    finally:
        reaping.cancel()
        await _kill_children()


async def _kill_children() -> None:
    # Killing one hands its own children to us: until there is none that can be killed.
    deadline = time.monotonic() + KILL_SECONDS
    while (children := _children(zombies=False)) and time.monotonic() < deadline:
        for pid, _ in children:
            _kill(pid)
        await asyncio.sleep(KILL_PAUSE_SECONDS)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _collect(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _any_zombie() -> bool:
    """Ask the kernel, which is cheaper than reading the process table."""
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    with contextlib.suppress(ChildProcessError):
        return os.waitid(os.P_ALL, 0, options) is not None
    return False


def _children(*, zombies: bool) -> frozenset[Child]:
    """Our children that have ended, or those that have not."""
    read = (_state(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return frozenset(child for child, is_zombie in filter(None, read) if is_zombie == zombies)


def _state(entry: Path) -> tuple[Child, bool] | None:
    """One of our children and whether it has ended; None for other processes."""
    fields = stat_fields(entry)
    if not fields or int(fields[1]) != os.getpid():
        return None
    return (int(entry.name), int(fields[START_TIME])), fields[0] in ENDED
