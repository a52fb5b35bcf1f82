"""`directcd notify`."""

import click

from directcd.cli import asking, servers
from directcd.cli.deliveries import Told
from directcd.cli.servers import Server


def _address(context: click.Context, parameter: click.Parameter, url: str) -> str:
    [address] = servers.without_passwords(context, parameter, (url,))
    return address


@click.command(name="notify")
@click.argument("repository", callback=_address)
@click.option("--ref", default="", help="A branch, or a full ref. Default: all that are followed.")
@servers.hub
@servers.as_json
def command(repository: str, ref: str, hub: Server, *, as_json: bool) -> None:
    """Tell the servers that follow REPOSITORY to look at it now, as a push would."""
    body = {"repository": repository} | ({"ref": ref} if ref else {})
    answer = asking.post(hub, Told, "notify", **body)
    click.echo(answer.json if as_json else answer.value.sentence(), err=not as_json)
