"""`directcd versions`."""

import click
from pydantic import BaseModel

from cd4sources.keeping.versions import Record
from directcd.cli import asking, servers
from directcd.cli.asking import Answer
from directcd.cli.servers import Server
from directcd.cli.tables import moment, table
from directcd.terminal import line


class _Kept(Record):
    """A version, and what is the case with it."""

    current: bool
    pinned: bool
    running: bool


class _Failure(BaseModel):
    message: str


class _Versions(BaseModel):
    versions: tuple[_Kept, ...]
    last_error: _Failure | None = None


class _State(BaseModel):
    """What a target offers."""

    target: str
    current: Record | None
    pinned: str | None


@click.group(name="versions")
def command() -> None:
    """List what a server keeps of a target, pin a version, or go back."""


@command.command(name="list")
@click.argument("target")
@servers.server
@servers.as_json
def list_versions(target: str, server: Server, *, as_json: bool) -> None:
    """Show the versions that are kept, newest first."""
    answer = asking.get(server, _Versions, "targets", target, "versions")
    if as_json:
        click.echo(answer.json)
        return
    click.echo(table([_HEADER, *map(_row, answer.value.versions)]))
    if failure := answer.value.last_error:
        asking.warn_of_newer(failure.message)


@command.command()
@click.argument("target")
@click.argument("version", callback=servers.checked_version)
@servers.server
@servers.as_json
def pin(target: str, version: str, server: Server, *, as_json: bool) -> None:
    """Offer VERSION until it is unpinned; newer ones are built all the same."""
    answer = asking.post(server, _State, "targets", target, "pin", version=version)
    _tell(answer, as_json=as_json)


@command.command()
@click.argument("target")
@servers.server
@servers.as_json
def unpin(target: str, server: Server, *, as_json: bool) -> None:
    """Offer the newest version again."""
    _tell(asking.post(server, _State, "targets", target, "unpin"), as_json=as_json)


@command.command()
@click.argument("target")
@servers.server
@servers.as_json
def rollback(target: str, server: Server, *, as_json: bool) -> None:
    """Pin the version that was offered before the current one; again: the one before that."""
    _tell(asking.post(server, _State, "targets", target, "rollback"), as_json=as_json)


_HEADER = ("VERSION", "COMMIT", "BUILT AT", "BYTES", "")
_COMMIT_CHARACTERS = 12


def _row(kept: _Kept) -> tuple[str, ...]:
    flags = [name for name in ("current", "pinned", "running") if getattr(kept, name)]
    return (
        kept.version,
        "".join(kept.lockset[:1])[:_COMMIT_CHARACTERS],
        moment(kept.built_at),
        str(kept.artifact.size),
        " ".join(flags),
    )


def _tell(answer: Answer[_State], *, as_json: bool) -> None:
    if as_json:
        click.echo(answer.json)
        return
    state = answer.value
    current = state.current.version if state.current else "no version"
    pinned = ", pinned" if state.pinned else ""
    click.echo(line(f"{state.target} offers {current}{pinned}"), err=True)
