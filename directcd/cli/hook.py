"""`directcd hook`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from directcd.cli import hook_recover, hooking, options, servers
from directcd.cli.hook_options import Asked, changing, places, proving
from directcd.cli.tables import table

if TYPE_CHECKING:
    from directcd.hooks.outcomes import Outcome
    from directcd.hooks.registering import Desk


@click.group(name="hook")
def command() -> None:
    """
    Register webhooks at the forge, prove that they work, mend and remove them.

    REPOSITORY is a URL in any spelling, or its path at the forge with --source. Without one, all
    repositories of the file's targets are meant. Exits with the worst of what came of them: 1 not
    done or not proven, 4 not allowed, 7 out of reach.
    """


command.add_command(hook_recover.command)


@command.command()
@options.config_file
@click.option("--source", default="", metavar="NAME", help="Of this source alone.")
@servers.as_json
def url(config_file: Path, source: str, *, as_json: bool) -> None:
    """Print the URL that webhooks of each source call; needs no token."""
    from directcd.config import load
    from directcd.hooks.choosing import hub_of, known, webhook_url

    hub = hub_of(load(config_file))
    names = [known(hub, source)] if source else list(hub.sources)
    urls = {name: webhook_url(hub, name) for name in names}
    if as_json:
        told = [
            {"source": name, "provider": hub.sources[name].provider, "url": one}
            for name, one in urls.items()
        ]
        click.echo(json.dumps({"webhooks": told}))
        return
    click.echo(urls[source] if source else table(list(urls.items())))


@command.command()
@places
@proving
@changing
def create(asked: Asked) -> None:
    """
    Register a webhook, or make the one that is there what it should be, and prove it.

    It is proven when a test of it has come back through the hub, which must run.
    """

    async def work(desk: "Desk") -> "list[Outcome]":
        return [await desk.create()]

    hooking.done(asked, work, signed=True)


@command.command()
@places
@proving
@changing
def test(asked: Asked) -> None:
    """Have the forge call the webhook, and see what comes; it stays as it is."""
    hooking.done(asked, lambda desk: desk.test())


@command.command()
@places
@proving
@changing
def repair(asked: Asked) -> None:
    """Mend all that `list` finds wrong, remove duplicates, and prove what is left."""
    hooking.done(asked, lambda desk: desk.repair(), signed=True)


@command.command()
@places
@click.option("--id", "number", type=click.IntRange(0), default=0, help="This one alone.")
@changing
def delete(asked: Asked, number: int) -> None:
    """Remove the webhooks that call our URL, or the one of a number; none there is no error."""
    if number and len(asked.places) != 1:
        raise click.UsageError("--id needs the REPOSITORY or --org that the webhook belongs to")
    hooking.done(asked, lambda desk: desk.delete(number))


@command.command()
@places
@proving
@changing
@click.option(
    "--settle",
    "settle_seconds",
    type=click.FloatRange(0, 600),
    default=5.0,
    show_default=True,
    help="Seconds that the old secret is kept after its last delivery: some are on their way.",
)
def rotate(asked: Asked, settle_seconds: float) -> None:
    """
    Give all webhooks of a source a new secret, while pushes keep coming.

    The old secret stays in FILE.previous, which the hub reads as well, until every webhook is
    proven with the new one. What fails before is put back; killed in the middle, the next call
    goes on. With REPOSITORY or --org only that one is turned over, and FILE.previous stays.
    """
    from directcd.cli.rotating import rotated

    hooking.finish(asked, rotated(asked, settle_seconds))


@command.command(name="list")
@places
def list_all(asked: Asked) -> None:
    """Show the webhooks that are there, which are ours, and what is wrong with them."""
    rows, found = list[tuple[str, ...]](), list[dict[str, Any]]()

    async def work(desk: "Desk") -> "list[Outcome]":
        for one in await desk.judge():
            rows.append((str(desk.chosen.place), *one.cells()))
            found.append({"source": desk.chosen.source, **one.as_json()})
        return []

    failed = hooking.worked(asked, work)
    if not asked.as_json and (rows or not failed):
        click.echo(table([_HEADER, *rows]) if rows else "no webhooks there")
    hooking.finish_list(asked, failed, found)


_HEADER = ("PLACE", "ID", "OURS", "ACTIVE", "TYPE", "EVENTS", "URL", "WRONG")
