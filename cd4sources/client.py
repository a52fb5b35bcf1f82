"""
Brings the newest version of a target here and has it run: watch, download, verify, swap.

`watching` asks the servers, `downloads` gets what they offer; what becomes of it here is `hosting`.
"""

import asyncio
import re
import signal
from collections.abc import Iterable, Sequence
from functools import partial

from cd4sources.delivery.downloads import Downloads
from cd4sources.delivery.hosting import Host
from cd4sources.delivery.installed import Installed
from cd4sources.delivery.judging import Judge
from cd4sources.delivery.programs import signal_named
from cd4sources.delivery.trust import refuse_unsigned, trusted_keys
from cd4sources.delivery.watching import Watch
from cd4sources.http import Http
from cd4sources.hub_api import HubApi, token_reader
from cd4sources.reporting import Post, Reporter, post_over_http
from cd4sources.settings import ClientSettings


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
        hub_token: For that hub, in place of what is in the settings' `hub_token_file`.

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
        hub_token: str = "",
    ) -> None:
        """Start nothing yet."""
        if not repositories:
            raise ValueError("name at least one repository: they say which target is meant")
        signal_named(settings.stop_signal)
        self._settings = settings
        self._post = post
        self._hub_token = token_reader(hub_token, settings.hub_token_file)
        self._query = query_of(repositories, ref)
        keys, name = trusted_keys(settings), target or settings.target
        if keys and not name:
            raise ValueError("name the target: public keys trust versions of that one only")
        self._check = partial(refuse_unsigned, keys, target=name)
        self._host: Host | None = None

    @property
    def version(self) -> str | None:
        """The version that is kept running, None for none."""
        return self._host.version if self._host else None

    async def run(self, stopping: asyncio.Event, settled: asyncio.Event | None = None) -> None:
        """
        Deliver until told to stop; then end the program gracefully and return.

        A cancel during that end kills the program's tree first, and then is a cancel.

        Args:
            stopping: Set it to stop.
            settled: Is set when the program runs, or the first attempt has shown that none can.

        Raises:
            DataInUse: Another client uses the data directory.
            AddressUnusable: One of the settings' sockets cannot be had.
        """
        async with Http() as http:
            reporter = Reporter(self._post or self._hub(http))
            self._host = Host(self._settings, http, reporter, self._check)
            reporting = asyncio.create_task(reporter.run(), name="reports")
            try:
                await self._host.run(partial(self._supply, http), stopping, settled)
            finally:
                reporting.cancel()

    def send_signal(self, number: signal.Signals) -> None:
        """Pass a signal on to the program's first process, if it runs."""
        if self._host:
            self._host.send_signal(number)

    def _hub(self, http: Http) -> Post | None:
        url = self._settings.hub
        return post_over_http(HubApi(http, url, self._hub_token)) if url else None

    def _supply(self, http: Http, installed: Installed, judge: Judge) -> tuple[Watch, Downloads]:
        servers, token_file = self._settings.servers, self._settings.token_file
        newest = installed.current()
        watch = Watch(http, servers, self._query, token_file=token_file, newest=newest)
        tokens = dict.fromkeys(servers, token_file)
        return watch, Downloads(http, installed, judge, check=self._check, token_files=tokens)


def query_of(repositories: Iterable[str], ref: str = "") -> list[tuple[str, str]]:
    """What names a target in a question to a server: `repo` of each, and `ref`; no credentials."""
    named = [("repo", re.sub(r"//[^/]*@", "//", one)) for one in repositories]
    return [*named, ("ref", ref)] if ref else named
