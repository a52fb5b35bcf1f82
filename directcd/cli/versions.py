"""`directcd versions`."""

import json
from pathlib import Path
from typing import Any

import click

from directcd.cli import api_client
from directcd.cli.api_client import Api


@click.group(name="versions")
def command() -> None:
    """List what a server keeps of a target, pin a version, or go back."""


@command.command(name="list")
@click.argument("target")
@api_client.api
@api_client.as_json
def list_versions(target: str, server: str, token_file: Path | None, *, as_json: bool) -> None:
    """Show the versions that are kept, newest first."""
    answer = Api(server, token_file).get("targets", target, "versions")
    if as_json:
        click.echo(json.dumps(answer))
        return
    click.echo(api_client.table([_HEADER, *map(_row, answer["versions"])]))


@command.command()
@click.argument("target")
@click.argument("version")
@api_client.api
@api_client.as_json
def pin(target: str, version: str, server: str, token_file: Path | None, *, as_json: bool) -> None:
    """Offer VERSION until it is unpinned; newer ones are built all the same."""
    answer = Api(server, token_file).post("targets", target, "pin", version=version)
    _tell(answer, as_json=as_json)


@command.command()
@click.argument("target")
@api_client.api
@api_client.as_json
def unpin(target: str, server: str, token_file: Path | None, *, as_json: bool) -> None:
    """Offer the newest version again."""
    _tell(Api(server, token_file).post("targets", target, "unpin"), as_json=as_json)


@command.command()
@click.argument("target")
@api_client.api
@api_client.as_json
def rollback(target: str, server: str, token_file: Path | None, *, as_json: bool) -> None:
    """Pin the version that was offered before the current one; again: the one before that."""
    _tell(Api(server, token_file).post("targets", target, "rollback"), as_json=as_json)


_HEADER = ("VERSION", "COMMIT", "BUILT AT", "BYTES", "")
_COMMIT_CHARACTERS = 12


def _row(version: dict[str, Any]) -> tuple[str, ...]:
    flags = [name for name in ("current", "pinned", "running") if version[name]]
    commit = version["repositories"][0]["commit"][:_COMMIT_CHARACTERS]
    size = str(version["artifact"]["size"])
    return (
        version["version"],
        commit,
        api_client.moment(version["built_at"]),
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
