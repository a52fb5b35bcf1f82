"""`directcd trace`."""

import sys

import click
from pydantic import BaseModel

from directcd.cli import asking, servers
from directcd.cli.servers import Server
from directcd.journey import Timeline, lines


class _Traces(BaseModel):
    traces: tuple[Timeline, ...]


@click.command(name="trace")
@click.argument("needle", metavar="COMMIT|DELIVERY|VERSION")
@servers.hub
@servers.as_json
def command(needle: str, hub: Server, *, as_json: bool) -> None:
    """
    Show the way of a push, from its delivery to the running program.

    It is named by its commit (at least 7 digits), by its delivery (number, or the forge's id), by
    the version that came of it, or by its trace id. Exits with 3 when nothing is known of it.
    """
    answer = asking.get(hub, _Traces, "traces", needle)
    if as_json:
        click.echo(answer.json)
        return
    block = "█" if sys.stdout.isatty() and sys.stdout.encoding.lower() == "utf-8" else "#"
    for timeline in answer.value.traces:
        click.echo("\n".join(lines(timeline, block)))
