"""
Long tasks as one process: signals, limits, and the end of all when one of them fails.

Signals are handled here and not by a library, because one process may hold several parts, and
because a failure to start must be one sentence and an exit code.
"""

import asyncio
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cd4sources.running.reaping import reap_orphans
from directcd.exits import Exit
from directcd.life import Life, Part
from directcd.systemd.notifying import keep_told, manager_in

# Enough for every connection there will be. What has no limit at all must not be inherited: old
# programs close every descriptor they may have before they start others.
DESCRIPTORS = 65_536

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class StartError(Exception):
    """The process cannot start; the message says why and what to do."""


def run(*parts: Part, loop_factory: LoopFactory | None = None) -> None:
    """
    Run the parts until SIGTERM or SIGINT; the first part that fails ends them all.

    A second signal no longer waits for anything, and ends the process with 130. A service manager
    that has started the process is told how it gets on.

    Args:
        parts: what to run, side by side.
        loop_factory: another event loop than asyncio's own.
    """
    _raise_descriptors()
    _spare_the_collector()
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(_run(parts))
    except asyncio.CancelledError:
        sys.exit(Exit.INTERRUPTED)


def _raise_descriptors() -> None:
    # Shells and systemd give 1,024, and more when asked.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _spare_the_collector() -> None:
    # The parts are built, so what is there now stays: a busy hub must not pause, again and again,
    # to look through it.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def _run(parts: tuple[Part, ...]) -> None:
    stopping = asyncio.Event()
    lives = [Life(stopping) for _ in parts]
    besides = [asyncio.create_task(one, name=name) for name, one in _besides(lives, stopping)]
    with _signals(stopping):
        async with asyncio.TaskGroup() as tasks:
            for part, life in zip(parts, lives, strict=True):
                tasks.create_task(part(life), name=part.__qualname__)
    for one in besides:
        one.cancel()


def _besides(
    lives: Sequence[Life], stopping: asyncio.Event
) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
    """What the process does for itself as long as its parts live, by its name."""
    if os.getpid() == 1:
        yield "reap orphans", reap_orphans()
    if manager := manager_in(os.environ):
        yield "tell the service manager", keep_told(manager, lives, stopping)


@contextmanager
def _signals(stopping: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def stop() -> None:
        if stopping.is_set() and task is not None:
            task.cancel()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
