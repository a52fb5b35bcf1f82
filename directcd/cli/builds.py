"""`directcd builds`."""

import codecs
import json
import sys

import click
from pydantic import BaseModel

from cd4sources.building.builds import BuildRecord
from directcd.cli import asking, servers
from directcd.cli.asking import Answer, Done
from directcd.cli.servers import Server
from directcd.cli.tables import moment, table
from directcd.terminal import Printer, line, printable


class _Builds(BaseModel):
    builds: tuple[BuildRecord, ...]


@click.group(name="builds")
def command() -> None:
    """See what a server builds and has built, cancel a build, or build again."""


@command.command(name="list")
@click.argument("target", default="")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Lines.")
@servers.server
@servers.as_json
def list_builds(target: str, limit: int, server: Server, *, as_json: bool) -> None:
    """Show the newest builds, of TARGET or of all."""
    query = {"target": target} if target else {}
    answer = asking.get(server, _Builds, "builds", limit=str(limit), **query)
    if as_json:
        click.echo(answer.json)
        return
    click.echo(table([_HEADER, *map(_row, answer.value.builds)]))


@command.command()
@click.argument("build")
@servers.server
@servers.as_json
def show(build: str, server: Server, *, as_json: bool) -> None:
    """Show all that is known of BUILD."""
    answer = asking.get(server, BuildRecord, "builds", build)
    if as_json:
        click.echo(answer.json)
        return
    record = answer.value
    facts = record.model_dump(mode="json", exclude={"repositories", "message"})
    rows = [(name, str(value)) for name, value in facts.items() if value not in {None, ""}]
    rows += [("repository", f"{one.url} {one.ref} {one.commit}") for one in record.repositories]
    click.echo(table(rows))
    if record.message:
        click.echo(printable(record.message))


@command.command()
@click.argument("build")
@click.option("-f", "--follow", is_flag=True, help="Go on until the build ends.")
@servers.server
@servers.as_json
def logs(build: str, server: Server, *, follow: bool, as_json: bool) -> None:
    """
    Print what BUILD has printed.

    As it is into a pipe, without control codes on a terminal; as JSON, an object with `line` for
    each of its lines.
    """
    query = {"follow": "1"} if follow else {}
    lines, printer = _JsonLines(), Printer()

    def write(piece: bytes) -> None:
        click.echo(printer.feed(piece) if sys.stdout.isatty() else piece, nl=False)

    asking.copy(server, "builds", build, "log", write=lines.feed if as_json else write, **query)
    lines.end()


@command.command()
@click.argument("build")
@servers.server
@servers.as_json
def cancel(build: str, server: Server, *, as_json: bool) -> None:
    """End BUILD with everything it started."""
    answer = asking.post(server, Done, "builds", build, "cancel")
    _tell(answer, f"{build} is being cancelled", as_json=as_json)


@command.command()
@click.argument("target")
@servers.server
@servers.as_json
def rebuild(target: str, server: Server, *, as_json: bool) -> None:
    """Build the newest commits of TARGET, also when they were built before."""
    answer = asking.post(server, Done, "targets", target, "rebuild")
    _tell(answer, f"{target} is built again; see `directcd builds list {target}`", as_json=as_json)


class _JsonLines:
    """Prints bytes that come in pieces as JSON, a line each."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._held = ""

    def feed(self, piece: bytes) -> None:
        """Print the lines that are whole now."""
        *whole, self._held = (self._held + self._decode(piece)).split("\n")
        for text in whole:
            click.echo(json.dumps({"line": text}))

    def end(self) -> None:
        """Print the last one, if no line break ends it."""
        if self._held:
            click.echo(json.dumps({"line": self._held}))


_HEADER = ("BUILD", "TARGET", "VERSION", "STARTED AT", "REASON", "STATE", "")
_MESSAGE_CHARACTERS = 60


def _row(build: BuildRecord) -> tuple[str, ...]:
    lines = printable(build.message).splitlines() or [""]
    return (
        build.id,
        build.target,
        build.version,
        moment(build.started_at),
        build.reason,
        build.state,
        line(lines[0])[:_MESSAGE_CHARACTERS],
    )


def _tell(answer: Answer[Done], sentence: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(answer.json)
    else:
        click.echo(sentence, err=True)
