"""`directcd versions`."""

import json
from typing import Any

import click

from directcd.cli import asking, servers
from directcd.cli.servers import Server
from directcd.cli.tables import moment, table


@click.group(name="versions")
def command() -> None:
    """List what a server keeps of a target, pin a version, or go back."""


@command.command(name="list")
@click.argument("target")
@servers.server
@servers.as_json
def list_versions(target: str, server: Server, *, as_json: bool) -> None:
    """Show the versions that are kept, newest first."""
    answer = asking.get(server, "targets", target, "versions")
    if as_json:
        click.echo(json.dumps(answer))
        return
    click.echo(table([_HEADER, *map(_row, answer["versions"])]))


@command.command()
@click.argument("target")
@click.argument("version")
@servers.server
@servers.as_json
def pin(target: str, version: str, server: Server, *, as_json: bool) -> None:
    """Offer VERSION until it is unpinned; newer ones are built all the same."""
    answer = asking.post(server, "targets", target, "pin", version=version)
    _tell(answer, as_json=as_json)


@command.command()
@click.argument("target")
@servers.server
@servers.as_json
def unpin(target: str, server: Server, *, as_json: bool) -> None:
    """Offer the newest version again."""
    _tell(asking.post(server, "targets", target, "unpin"), as_json=as_json)


@command.command()
@click.argument("target")
@servers.server
@servers.as_json
def rollback(target: str, server: Server, *, as_json: bool) -> None:
    """Pin the version that was offered before the current one; again: the one before that."""
    _tell(asking.post(server, "targets", target, "rollback"), as_json=as_json)


_HEADER = ("VERSION", "COMMIT", "BUILT AT", "BYTES", "")
_COMMIT_CHARACTERS = 12


def _row(version: dict[str, Any]) -> tuple[str, ...]:
    flags = [name for name in ("current", "pinned", "running") if version[name]]
    commit = version["repositories"][0]["commit"][:_COMMIT_CHARACTERS]
    size = str(version["artifact"]["size"])
    return (
        version["version"],
        commit,
        moment(version["built_at"]),
        size,
        " ".join(flags),
    )


def _tell(state: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(state))
        return
    current = state["current"]["version"] if state["current"] else "no version"
    pinned = ", pinned" if state["pinned"] else ""
    click.echo(f"{state['target']} offers {current}{pinned}", err=True)
