"""`directcd hook recover`."""

import sys
from collections.abc import Iterator

import click
from pydantic import BaseModel

from directcd.cli import asking, hook_options, servers
from directcd.cli.servers import Server
from directcd.exits import Exit
from directcd.terminal import line


class Looked(BaseModel):
    """What came of looking at the forge of one source."""

    source: str
    repositories: int
    redelivered: int
    synthesised: int
    troubles: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """What is told of it."""
        missed = self.redelivered + self.synthesised
        repositories = _number(self.repositories, "repository", "repositories")
        looked = f"{self.source}: {repositories} that somebody follows"
        if not missed:
            yield f"{looked}, nothing was missed" if not self.troubles else looked
        else:
            how = f"{self.redelivered} delivered again, {self.synthesised} told by the hub"
            pushes = _number(missed, "push was", "pushes were")
            yield f"{looked}, {pushes} missed: {how}"
        for trouble in self.troubles:
            yield f"  {trouble}"


def _number(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


class Recovered(BaseModel):
    """The answer of `POST /v1/recover`."""

    sources: tuple[Looked, ...]


@click.command(name="recover")
@click.option("--source", default="", metavar="NAME", help="Of this source alone.")
@hook_options.hub
@servers.as_json
def command(source: str, hub: Server, *, as_json: bool) -> None:
    """
    Have the hub look now for pushes that no delivery told of, and tell them.

    It does so by itself at its start, after outages and every recover_interval_seconds. A hub with
    tokens wants one of the scope `admin`.
    """
    answer = asking.post(hub, Recovered, "recover", **({"source": source} if source else {}))
    if as_json:
        click.echo(answer.json)
    else:
        for text in (text for one in answer.value.sources for text in one.lines()):
            click.echo(line(text), err=True)
    sys.exit(Exit.FAILED if any(one.troubles for one in answer.value.sources) else Exit.OK)
