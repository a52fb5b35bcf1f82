"""
What a client does with a process of its own: signals meant for the program reach it, and its
daemons are adopted.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from cd4sources.client import Client
from cd4sources.running.reaping import adopting
from directcd.process import Part

PASSED_ON = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""By these people tell programs to read their configuration or to open their logs anew."""


def standalone(client: Client) -> Part:
    """A client as the only part of its process."""

    async def run(stopping: asyncio.Event) -> None:
        async with adopting():
            with _passing_signals(client):
                await client.run(stopping)

    return run


@contextmanager
def _passing_signals(client: Client) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in PASSED_ON:
        loop.add_signal_handler(number, client.send_signal, number)
    try:
        yield
    finally:
        for number in PASSED_ON:
            loop.remove_signal_handler(number)
