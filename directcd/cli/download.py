"""`directcd download`."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from directcd.cli import servers
from directcd.exits import Exit

if TYPE_CHECKING:
    from cd4sources.http import Http, Reply

ASK_SECONDS = 30.0  # for an answer that need not wait
GONE = 410


@dataclass(frozen=True)
class Artifact:
    """What is downloaded; `sha256` in hex."""

    version: str
    size: int
    sha256: str


class Offer:
    """What a server has of a target."""

    def __init__(self, target: servers.Target) -> None:
        self._server = target.address
        self._token = target.token
        self._query = target.query

    async def find(self, http: "Http", version: str) -> Artifact:
        """A version's size and digest; without a version, those of the newest."""
        from cd4sources.http import BadStatus

        newest = await self._newest(http)
        wanted = version or newest
        query = [*self._query, ("version", wanted)]
        try:
            reply = await http.head(f"{self._server}/download", query, token=self._token)
        except BadStatus as error:  # without a reason, for HEAD has no body
            if error.status != GONE:
                raise
            message = f"{version} is not kept there (any more); the newest is {newest}"
            raise servers.Refused(message, Exit.FAILED) from error
        return Artifact(wanted, *_promised(reply))

    async def _newest(self, http: "Http") -> str:
        from cd4sources.keeping.versions import Record

        query = [*self._query, ("timeout", "0")]
        reply = await http.get_json(
            f"{self._server}/watch", query, timeout_seconds=ASK_SECONDS, token=self._token
        )
        if not reply.body:
            why = reply.headers.get("X-Directcd-Last-Error", "the first build has not ended")
            raise servers.Refused(f"nothing is built yet: {why}", Exit.FAILED)
        return _checked(reply.read(Record).version)

    async def fetch(self, http: "Http", artifact: Artifact, into: Path) -> None:
        """The bytes, going on where an earlier attempt ended."""
        from httpx import QueryParams

        url = f"{self._server}/download"
        query = QueryParams([*self._query, ("version", artifact.version)])
        size, sha256 = artifact.size, artifact.sha256
        await http.download(f"{url}?{query}", into, size=size, sha256=sha256, token=self._token)


def _checked(version: str) -> str:
    """A server's version, which becomes part of a file's name."""
    from cd4sources.keeping.versions import VERSION

    if not VERSION.fullmatch(version):
        message = f"{version!r} is no version; is this a cd4sources server?"
        raise servers.Refused(message, Exit.FAILED)
    return version


def _promised(reply: "Reply") -> tuple[int, str]:
    """Size and digest of the bytes to come."""
    size, tag = reply.headers.get("Content-Length", ""), reply.headers.get("ETag", "")
    if not re.fullmatch("[0-9]{1,18}", size) or not re.fullmatch('"[0-9a-f]{64}"', tag):
        message = "the answer names no size and digest; is this a cd4sources server?"
        raise servers.Refused(message, Exit.FAILED)
    return int(size), tag.strip('"')


@click.command(name="download")
@servers.target
@click.option(
    "--version", default="", callback=servers.checked_version, help="Default: the newest."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file: whole, verified and executable, or not there.",
)
@servers.as_json
def command(*, target: servers.Target, version: str, output: Path, as_json: bool) -> None:
    """
    Download a version of a target.

    What breaks off goes on where it was when the command is run again. Exits with 4 if the token is
    refused, and with 7 if the server cannot be reached.
    """
    with servers.failures():
        artifact = asyncio.run(_download(Offer(target), version, output))
    if as_json:
        click.echo(json.dumps({"output": str(output), **asdict(artifact)}))
    else:
        click.echo(f"{output}: {artifact.version}, {artifact.size} bytes", err=True)


async def _download(offer: Offer, version: str, output: Path) -> Artifact:
    from cd4sources.http import Http

    async with Http() as http:
        artifact = await offer.find(http, version)
        part = output.with_name(f".{output.name}.{artifact.version}.part")
        try:
            async with _progress(part, artifact):
                await offer.fetch(http, artifact, part)
            part.chmod(0o755)
            part.replace(output)
        except OSError as error:
            raise servers.Refused(f"{output}: {error.strerror}", Exit.FAILED) from error
    return artifact


@asynccontextmanager
async def _progress(part: Path, artifact: Artifact) -> AsyncIterator[None]:
    """A bar on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield
        return
    from directcd.cli.progress import shown

    showing = asyncio.create_task(shown(part, artifact.version, artifact.size), name="progress")
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.wait({showing})
