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
from directcd.process import Part

PASSED_ON = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""By these people tell programs to read their configuration or to open their logs anew."""


class Runner(Protocol):
    """Runs a program: a client, or direct pulling."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Run it until told to stop."""

    def send_signal(self, number: signal.Signals) -> None:
        """Pass a signal on to it."""


def standalone(runner: Runner) -> Part:
    """The only part of its process."""

    async def run(stopping: asyncio.Event) -> None:
        async with adopting():
            with _passing_signals(runner):
                await runner.run(stopping)

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
