"""`directcd token new`."""

import json
from dataclasses import dataclass

import click

from directcd.cli import servers


@dataclass(frozen=True)
class _Entry:
    """What the server is told of a token."""

    name: str
    sha256: str
    scopes: tuple[str, ...]
    repositories: tuple[str, ...]

    def lines(self) -> str:
        """Its table, for directcd.toml. TOML reads strings and lists as JSON writes them."""
        written = [
            f"{key} = {json.dumps(value, ensure_ascii=False)}"
            for key, value in vars(self).items()
            if value
        ]
        return "\n".join(["[[server.tokens]]", *written])


@click.group(name="token")
def command() -> None:
    """Make bearer tokens for the server's API."""


@command.command()
@click.option("--name", default="client", show_default=True, help="Who will hold it.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(["read", "admin"]),
    multiple=True,
    default=["read"],
    show_default=True,
    help="read: watch, download, look. admin: that, and change. May be repeated.",
)
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    metavar="GLOB",
    help="Only for targets of such repositories, e.g. git.example.com/acme/*. May be repeated.",
)
@servers.as_json
def new(
    *, name: str, scopes: tuple[str, ...], repositories: tuple[str, ...], as_json: bool
) -> None:
    """
    Make a token and print it, once: it is kept nowhere.

    What the server must know of it goes to stderr, as lines for its directcd.toml.
    """
    from cd4sources.tokens import digest, new_token

    token = new_token()
    entry = _Entry(name, digest(token), scopes, repositories)
    if as_json:
        click.echo(json.dumps({"token": token, **vars(entry)}))
        return
    click.echo(token)
    click.echo(entry.lines(), err=True)
