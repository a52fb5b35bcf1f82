"""`directcd token new`."""

import json
from dataclasses import dataclass

import click

from directcd.cli import servers

_OF_SERVERS = frozenset({"read", "admin"})
_OF_HUBS = ("read", "subscribe", "report", "admin")


@dataclass(frozen=True)
class _Entry:
    """What the hub or the server is told of a token."""

    name: str
    sha256: str
    scopes: tuple[str, ...]
    repositories: tuple[str, ...]

    def lines(self, table: str) -> str:
        """Its table, for directcd.toml. TOML reads strings and lists as JSON writes them."""
        written = [
            f"{key} = {json.dumps(value, ensure_ascii=False)}"
            for key, value in vars(self).items()
            if value
        ]
        return "\n".join([f"[[{table}.tokens]]", *written])


@click.group(name="token")
def command() -> None:
    """Make bearer tokens for the API of the hub or of a server."""


@command.command()
@click.option("--name", default="client", show_default=True, help="Who will hold it.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(_OF_HUBS),
    multiple=True,
    default=["read"],
    show_default=True,
    help="read: watch, download, look. admin: that, and change. Hubs alone have subscribe: follow "
    "pushes, and report: tell how far they have come. May be repeated.",
)
@click.option(
    "--for",
    "table",
    type=click.Choice(["server", "hub"]),
    help="Who takes it. Default: the server, or the hub when a scope is only the hub's.",
)
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    metavar="GLOB",
    help="Only for such repositories, e.g. git.example.com/acme/*. May be repeated.",
)
@servers.as_json
def new(
    *,
    name: str,
    scopes: tuple[str, ...],
    table: str | None,
    repositories: tuple[str, ...],
    as_json: bool,
) -> None:
    """
    Make a token and print it, once: it is kept nowhere.

    What the hub or the server must know of it goes to stderr, as lines for its directcd.toml. Each
    has tokens of its own: for the hub's read or admin say --for hub.
    """
    from cd4sources.tokens import digest, new_token

    is_open = table is None and _OF_SERVERS.issuperset(scopes)
    table = _table(table, scopes)
    token = new_token()
    entry = _Entry(name, digest(token), scopes, repositories)
    if as_json:
        click.echo(json.dumps({"token": token, **vars(entry)}))
        return
    click.echo(token)
    if is_open:
        click.echo("# For a cd4sources server; a hub takes it by --for hub.", err=True)
    click.echo(entry.lines(table), err=True)


def _table(table: str | None, scopes: tuple[str, ...]) -> str:
    only_hubs = [scope for scope in scopes if scope not in _OF_SERVERS]
    if table == "server" and only_hubs:
        raise click.UsageError(f"a server knows no scope {only_hubs[0]}: use --for hub, or read")
    return table or ("hub" if only_hubs else "server")
