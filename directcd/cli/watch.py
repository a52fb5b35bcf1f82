"""`directcd watch`."""

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from directcd.cli import servers
from directcd.cli.asking import ascii_json, warn_of_newer
from directcd.exits import Exit
from directcd.terminal import line

if TYPE_CHECKING:
    from cd4sources.http import Http, Reply
    from cd4sources.keeping.versions import Record

GRACE_SECONDS = 10.0  # beyond its time-out, for the server's answer
FIRST_PAUSE_SECONDS = 0.5
MOST_PAUSE_SECONDS = 30.0
LATER = 503


class _Watching:
    """A target at a server, and what is printed of it."""

    def __init__(self, target: servers.Target, *, timeout: float, as_json: bool) -> None:
        from cd4sources.backoff import Backoff

        self._target = target
        self._timeout = timeout
        self._as_json = as_json
        self._backoff = Backoff(FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS)
        self._warned = ""

    async def once(self, http: "Http", version: str) -> str:
        """The version printed, or "" when there was none but this one in time."""
        query = [*self._target.query, ("timeout", f"{self._timeout:g}")]
        reply = await http.get_json(
            f"{self._target.address}/watch",
            [*query, ("version", version)] if version else query,
            timeout_seconds=self._timeout + GRACE_SECONDS,
            token=self._target.token,
        )
        self._warn(reply.headers.get("X-Directcd-Last-Error", ""))
        return self._tell(reply) if reply.body else ""

    async def patiently(self, http: "Http", version: str) -> str:
        """The newest version there is; what heals by itself is waited out."""
        from cd4sources.http import BadStatus, Unreachable

        try:
            found = await self.once(http, version)
        except (BadStatus, Unreachable) as error:
            if isinstance(error, BadStatus) and error.status != LATER:
                raise
            click.echo(line(f"{error}; asking again"), err=True)
            await asyncio.sleep(self._backoff.pause_seconds())
            return version
        self._backoff.reset()
        return found or version

    def _warn(self, reason: str) -> None:
        if reason and reason != self._warned:
            warn_of_newer(reason)
        self._warned = reason

    def _tell(self, reply: "Reply") -> str:
        from cd4sources.keeping.versions import Record

        record = reply.read(Record)
        click.echo(ascii_json(reply) if self._as_json else line(record.version))
        if not self._as_json:
            click.echo(line(_described(record)), err=True)
        sys.stdout.flush()
        return record.version


@click.command(name="watch")
@servers.target
@click.option(
    "--version",
    default="",
    callback=servers.checked_version,
    help="The version you have; default: none.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, 300),
    default=50,
    show_default=True,
    help="Seconds to wait for another one.",
)
@click.option("--follow", is_flag=True, help="Go on: print every new version.")
@servers.as_json
def command(
    *,
    target: servers.Target,
    version: str,
    timeout: float,
    follow: bool,
    as_json: bool,
) -> None:
    """
    Wait for another version of a target, and print it.

    Without --version the current one is printed at once. Exits with 3 if there is nothing new in
    time, with 4 if the token is refused, and with 7 if the server cannot be reached.
    """
    watching = _Watching(target, timeout=timeout, as_json=as_json)
    with servers.failures():
        asyncio.run(_watch(watching, version, follow=follow))


async def _watch(watching: _Watching, version: str, *, follow: bool) -> None:
    from cd4sources.http import Http

    async with Http() as http:
        while follow:
            version = await watching.patiently(http, version)
        if not await watching.once(http, version):
            raise servers.Refused("nothing new", Exit.NOTHING_NEW)


def _described(record: "Record") -> str:
    made_of = ", ".join(f"{one.url} {one.ref} {one.commit[:12]}" for one in record.repositories)
    return f"{record.target}: {made_of}"
