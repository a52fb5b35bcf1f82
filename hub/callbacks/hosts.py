"""
Turns: how many requests are in flight, and how a host that fails is left in peace.

A host may have many subscriptions. After some failures in a row only one request at a time goes
there, with growing pauses; the others wait, and all go on when one has worked.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from hub.callbacks.timing import Timing

IN_FLIGHT = 64
IN_FLIGHT_PER_HOST = 16
"""So that one slow host with many subscriptions does not take all of the turns."""

FAILURES_TO_OPEN = 5
PROBE_PAUSE = Timing(longest_pause_seconds=30.0)
HOSTS_REMEMBERED = 10_000


class Host:
    """One host and port, as this hub has known it lately."""

    def __init__(self) -> None:
        self.failures = 0
        self._slots = asyncio.Semaphore(IN_FLIGHT_PER_HOST)
        self._inside = 0
        self._tries = 0
        self._probing = False
        self._probe_at = 0.0
        self._news = asyncio.Event()

    @property
    def failing(self) -> bool:
        """Whether it is tried by one request at a time only."""
        return self.failures >= FAILURES_TO_OPEN

    @property
    def idle(self) -> bool:
        """Whether there is nothing to remember about it."""
        return not self.failures and not self._inside

    async def enter(self, *, at_once: bool = False) -> bool:
        """
        Wait until a request may go there; whether it is the one that tries a failing host.

        Args:
            at_once: a person asks, and does not wait for a failing host's next try.
        """
        self._inside += 1
        probing = False
        try:
            probing = not at_once and await self._admit()
            await self._slots.acquire()
        except BaseException:
            self._end(probing=probing)
            raise
        return probing

    def leave(self, *, probing: bool) -> None:
        """The request that has entered has ended, however."""
        self._slots.release()
        self._end(probing=probing)

    def _end(self, *, probing: bool) -> None:
        self._inside -= 1
        if probing:
            self._probing = False
            self._news.set()

    async def _admit(self) -> bool:
        while self.failing:
            pause = self._probe_at - time.monotonic()
            if pause <= 0 and not self._probing:
                self._probing = True
                return True
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if self._probing else pause):
                    await self._news.wait()
        return False

    def worked(self) -> None:
        """It has answered."""
        self.failures = self._tries = 0
        self._news.set()

    def failed(self) -> None:
        """It has not, or with an error of its own."""
        self.failures += 1
        if self.failing:
            # What was in flight together is one failure: only tries in turn make the pause longer.
            self._tries += self._probing
            self._probe_at = time.monotonic() + PROBE_PAUSE.pause_seconds(self._tries + 1)


class Hosts:
    """Every host that callbacks go to, and the hub's turns."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._hosts: dict[str, Host] = {}

    def failures(self, authority: str) -> int:
        """How often a host has failed in a row, when it is left in peace for that; else 0."""
        host = self._hosts.get(authority)
        return host.failures if host and host.failing else 0

    @asynccontextmanager
    async def turn(self, authority: str, *, at_once: bool = False) -> AsyncIterator[Host]:
        """Wait for a turn at a host; say within the block whether it `worked` or `failed`."""
        host = self._host(authority)
        probing = await self._stand_in_line(host, at_once=at_once)
        try:
            yield host
        finally:
            self._slots.release()
            host.leave(probing=probing)

    async def _stand_in_line(self, host: Host, *, at_once: bool) -> bool:
        while True:
            probing = await host.enter(at_once=at_once)
            try:
                await self._slots.acquire()
            except BaseException:
                host.leave(probing=probing)
                raise
            if probing or at_once or not host.failing:
                return probing
            # It has begun to fail while this one stood in line.
            self._slots.release()
            host.leave(probing=probing)

    def _host(self, authority: str) -> Host:
        if len(self._hosts) > HOSTS_REMEMBERED:
            self._hosts = {name: host for name, host in self._hosts.items() if not host.idle}
        return self._hosts.setdefault(authority, Host())
