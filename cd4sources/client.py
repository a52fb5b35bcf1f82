"""
Brings the newest version of a target here and has it run: watch, download, verify, swap.

This is the composition: `watching` asks the servers, `downloads` gets what they offer, `installed`
keeps it, `supervising` runs one version, `judging` remembers how each got on; `delivering` makes
the rounds.
"""

import asyncio
import re
import signal
from collections.abc import Sequence
from functools import partial
from typing import Any

from cd4sources.delivery.delivering import Delivery
from cd4sources.delivery.downloads import Downloads
from cd4sources.delivery.installed import Installed
from cd4sources.delivery.judging import Judge
from cd4sources.delivery.programs import signal_named
from cd4sources.delivery.sockets import listening
from cd4sources.delivery.supervising import Supervisor
from cd4sources.delivery.trust import refuse_unsigned, trusted_keys
from cd4sources.delivery.watching import Watch
from cd4sources.http import Http
from cd4sources.reporting import Post, Reporter, post_over_http
from cd4sources.settings import ClientSettings
from cd4sources.undisturbed import undisturbed


class Client:
    """
    Delivers one target to this machine.

    Args:
        settings: Where from, where to, and how to run it.
        repositories: The repositories that make up the target, `URL` or `URL=REPLACED`, in any
            order. User and password are left out of what servers are asked.
        ref: Of the first repository; tells targets apart that are made of the same repositories.
        target: The target's name, to which public keys are bound. Default: the settings' `target`.
        post: How reports reach the hub. Default: over HTTP, at the settings' `hub`.

    Raises:
        ValueError: No repositories, public keys without a target, or no such stop signal.
        KeyUnusable: A public key cannot be read.
    """

    def __init__(
        self,
        settings: ClientSettings,
        repositories: Sequence[str],
        *,
        ref: str = "",
        target: str = "",
        post: Post | None = None,
    ) -> None:
        """Start nothing yet."""
        if not repositories:
            raise ValueError("name at least one repository: they say which target is meant")
        signal_named(settings.stop_signal)
        self._settings = settings
        self._post = post
        self._query = [("repo", _without_credentials(one)) for one in repositories]
        self._query += [("ref", ref)] if ref else []
        keys, name = trusted_keys(settings), target or settings.target
        if keys and not name:
            raise ValueError("name the target: public keys trust versions of that one only")
        self._check = partial(refuse_unsigned, keys, target=name)
        self._supervisor: Supervisor | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """
        Deliver until told to stop; then end the program gracefully and return.

        A cancel during that end kills the program's tree first, and then is a cancel.

        Args:
            stopping: Set it to stop.

        Raises:
            DataInUse: Another client uses the data directory.
            AddressUnusable: One of the settings' sockets cannot be had.
        """
        settings = self._settings
        installed = Installed(settings.data, keep_versions=settings.keep_versions)
        with installed.opened():
            async with (
                listening(settings) as sockets,
                Http() as http,
                asyncio.TaskGroup() as tasks,
            ):
                hub = post_over_http(http, settings.hub) if settings.hub else None
                reporter = Reporter(self._post or hub)
                judge = Judge(installed, reporter, settings.target, check=self._check)
                self._supervisor = Supervisor(settings, http, tasks, judge, sockets)
                delivery = self._delivery(http, installed, judge, self._supervisor)
                reporting = tasks.create_task(reporter.run(), name="reports")
                delivering = tasks.create_task(delivery.run(), name="delivery")
                try:
                    await stopping.wait()
                finally:
                    await _end(delivering, self._supervisor)
                    reporting.cancel()

    def send_signal(self, number: signal.Signals) -> None:
        """Pass a signal on to the program's first process, if it runs."""
        if self._supervisor:
            self._supervisor.send_signal(number)

    def _delivery(
        self, http: Http, installed: Installed, judge: Judge, supervisor: Supervisor
    ) -> Delivery:
        servers, token_file = self._settings.servers, self._settings.token_file
        newest = installed.current()
        watch = Watch(http, servers, self._query, token_file=token_file, newest=newest)
        tokens = dict.fromkeys(servers, token_file)
        downloads = Downloads(http, installed, judge, check=self._check, token_files=tokens)
        return Delivery(watch, downloads, installed, supervisor, judge)


async def _end(delivering: asyncio.Task[Any], supervisor: Supervisor) -> None:
    """Stop the program gracefully; at once when that is cancelled."""
    delivering.cancel()
    try:
        await asyncio.wait({delivering})
        await supervisor.stop()
    except asyncio.CancelledError:
        await undisturbed(supervisor.kill())
        raise


def _without_credentials(repository: str) -> str:
    return re.sub(r"//[^/]*@", "//", repository)
