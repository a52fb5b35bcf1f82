"""Hosting one target's program on this machine, wherever its versions come from."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from cd4sources.delivery.delivering import Delivery, Downloading, Round, Watching
from cd4sources.delivery.installed import Installed
from cd4sources.delivery.judging import Judge
from cd4sources.delivery.programs import left_running
from cd4sources.delivery.records import Record
from cd4sources.delivery.sockets import listening
from cd4sources.delivery.supervising import Supervisor
from cd4sources.http import Http
from cd4sources.reporting import Reporter
from cd4sources.running.commands import INHERITED, Outputs
from cd4sources.settings import ClientSettings
from cd4sources.undisturbed import undisturbed

Supply = Callable[[Installed, Judge], tuple[Watching, Downloading]]
"""Makes what knows the versions, and what brings them here."""


class Host:
    """
    Keeps the newest version of one target running here.

    Args:
        settings: Where it is kept, and how it is run.
        http: The connections to use for the health URL.
        reporter: Who is told how each version gets on.
        check: Raises HttpError for a version that is not to be started.
        outputs: Where the program's output goes. Default: where ours goes.
    """

    def __init__(
        self,
        settings: ClientSettings,
        http: Http,
        reporter: Reporter,
        check: Callable[[Record], None],
        *,
        outputs: Outputs = INHERITED,
    ) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._http = http
        self._reporter = reporter
        self._check = check
        self._outputs = outputs
        self._supervisor: Supervisor | None = None

    @property
    def version(self) -> str | None:
        """The version that is kept running, None for none."""
        return self._supervisor.version if self._supervisor else None

    async def run(
        self, supply: Supply, stopping: asyncio.Event, settled: asyncio.Event | None = None
    ) -> None:
        """
        Deliver until told to stop; then end the program gracefully and return.

        A cancel during that end kills the program's tree first, and then is a cancel.

        Args:
            supply: Where versions come from.
            stopping: Set it to stop.
            settled: Is set when the first attempt is over, whatever it came to.

        Raises:
            DataInUse: Another client uses the data directory.
            AddressUnusable: One of the settings' sockets cannot be had.
        """
        async with self._opened(supply) as (delivery, supervisor):
            delivering = asyncio.create_task(delivery.run(settled), name="delivery")
            try:
                await stopping.wait()
            finally:
                await _end(delivering, supervisor)

    async def once(self, supply: Supply) -> Round:
        """
        Have the newest version run, and leave it running; errors as for `run`.

        What an earlier life has left running is replaced like any old program.
        """
        async with self._opened(supply) as (delivery, supervisor):
            try:
                return await delivery.once(self._left_running)
            finally:
                supervisor.release()

    async def _left_running(self) -> frozenset[str]:
        return await asyncio.to_thread(left_running, self._settings.data)

    @asynccontextmanager
    async def _opened(self, supply: Supply) -> AsyncIterator[tuple[Delivery, Supervisor]]:
        settings = self._settings
        installed = Installed(settings.data, keep_versions=settings.keep_versions)
        with installed.opened():
            async with listening(settings) as sockets, asyncio.TaskGroup() as tasks:
                judge = Judge(
                    installed, self._reporter, settings.target, settings.name, check=self._check
                )
                supervisor = Supervisor(
                    settings, self._http, tasks, judge, sockets, outputs=self._outputs
                )
                self._supervisor = supervisor
                watch, downloads = supply(installed, judge)
                yield Delivery(watch, downloads, installed, supervisor, judge), supervisor

    def send_signal(self, number: signal.Signals) -> None:
        """Pass a signal on to the program's first process, if it runs."""
        if self._supervisor:
            self._supervisor.send_signal(number)


async def _end(delivering: asyncio.Task[Any], supervisor: Supervisor) -> None:
    """Stop the program gracefully; at once when that is cancelled."""
    delivering.cancel()
    try:
        await asyncio.wait({delivering})
        await supervisor.stop()
    except asyncio.CancelledError:
        await undisturbed(supervisor.kill())
        raise
