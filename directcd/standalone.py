"""
What is done by whoever runs a program and has a process of its own: signals meant for the program
reach it, and its daemons are adopted.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from cd4sources.running.reaping import adopting
from directcd.life import Life, Part

PASSED_ON = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""By these people tell programs to read their configuration or to open their logs anew."""


class Runner(Protocol):
    """Runs a program: a client, or direct pulling."""

    @property
    def version(self) -> str | None:
        """What it runs, None for nothing."""

    async def run(self, stopping: asyncio.Event, settled: asyncio.Event) -> None:
        """Run it until told to stop; `settled` is set when it runs, or none could be had."""

    def send_signal(self, number: signal.Signals) -> None:
        """Pass a signal on to it."""


def hosted(runner: Runner) -> Part:
    """Runs its program beside other parts."""

    async def run(life: Life) -> None:
        life.standing = lambda: f"{runner.version} runs" if runner.version else "no program runs"
        await runner.run(life.stopping, life.ready)

    return run


def standalone(runner: Runner) -> Part:
    """The only part of its process."""

    async def run(life: Life) -> None:
        async with adopting():
            with _passing_signals(runner):
                await hosted(runner)(life)

    return run


@contextmanager
def _passing_signals(runner: Runner) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in PASSED_ON:
        loop.add_signal_handler(number, runner.send_signal, number)
    try:
        yield
    finally:
        for number in PASSED_ON:
            loop.remove_signal_handler(number)
