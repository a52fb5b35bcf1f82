"""`directcd status`."""

import sys
import time
from collections.abc import Iterator
from datetime import datetime

import click
from pydantic import BaseModel

from directcd.cli import asking, servers
from directcd.cli.servers import Server
from directcd.cli.tables import moment, table
from directcd.terminal import line
from hub.dashboard.attention import first_line
from hub.dashboard.text import duration, short

WATCH_SECONDS = 1.0
_CLEAR = "\x1b[H\x1b[2J"  # https://www.ecma-international.org/publications-and-standards/standards/ecma-48/


class _Newest(BaseModel):
    version: str
    commit: str | None
    at: datetime


class _Client(BaseModel):
    client: str
    version: str | None
    state: str


class _Clients(BaseModel):
    running_newest: int
    all: int


class _Failure(BaseModel):
    message: str
    next: str = ""  # a hub of an earlier version says none
    reporter: str
    at: datetime


class _Standing(BaseModel):
    """How one target stands."""

    target: str
    state: str
    newest: _Newest | None
    running: tuple[_Client, ...]
    clients: _Clients
    caught_by_poll: int
    caught_hint: str
    push_to_running_ms: tuple[float, ...]
    last_failure: _Failure | None


class _Targets(BaseModel):
    targets: tuple[_Standing, ...]


@click.command(name="status")
@click.option("--watch", is_flag=True, help="Show it anew every second, until it is interrupted.")
@servers.hub
@servers.as_json
def command(hub: Server, *, watch: bool, as_json: bool) -> None:
    """Show every target: what is newest, what runs where, how long a push takes, what is wrong."""
    while True:
        answer = asking.get(hub, _Targets, "targets")
        shown = answer.json if as_json else "\n".join(_lines(answer.value.targets))
        click.echo(f"{_CLEAR if watch and _is_terminal() else ''}{shown}")
        if not watch:
            return
        time.sleep(WATCH_SECONDS)


def _is_terminal() -> bool:
    return sys.stdout.isatty()


_HEADER = ("TARGET", "STATE", "NEWEST", "COMMIT", "SINCE", "CLIENTS", "PUSH TO RUNNING", "BY POLL")


def _lines(targets: tuple[_Standing, ...]) -> Iterator[str]:
    if not targets:
        yield "no target yet: no server has reported to this hub (`hub` in its [server])"
        return
    yield table([_HEADER, *map(_row, targets)])
    for one in targets:
        yield from _remarks(one)


def _row(one: _Standing) -> tuple[str, ...]:
    newest = one.newest
    return (
        one.target,
        one.state,
        newest.version if newest else "",
        short(newest.commit) if newest else "",
        moment(newest.at) if newest else "",
        f"{one.clients.running_newest}/{one.clients.all}",
        duration(one.push_to_running_ms[-1]) if one.push_to_running_ms else "",
        str(one.caught_by_poll or ""),
    )


def _remarks(one: _Standing) -> Iterator[str]:
    if failure := one.last_failure:
        where = f"{one.state} at {failure.reporter}"
        said = first_line(failure.message)
        yield line(f"{one.target}: {where}, {moment(failure.at)}: {said}")
        if failure.next:
            yield line(f"{one.target}: next: {failure.next}")
    for client in one.running:
        if client.state != "running":
            runs = f"{client.version} runs" if client.version else "nothing is known to run"
            yield line(f"{one.target}: {client.client}: {client.state}; {runs}")
        elif one.newest and client.version != one.newest.version:
            yield line(f"{one.target}: {client.client}: {client.version} runs, not the newest")
            kept = f"`directcd versions list {one.target}` shows whether it is pinned"
            yield line(
                f"{one.target}: next: {kept}, `directcd versions unpin {one.target}` ends it"
            )
    if one.caught_hint:
        times = f"{one.caught_by_poll} found by poll only"
        yield line(f"{one.target}: {times}: {one.caught_hint}")
