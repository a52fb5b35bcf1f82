"""`directcd deliveries`."""

import time
from collections.abc import Iterator
from datetime import datetime
from itertools import takewhile

import click
from pydantic import BaseModel

from directcd.cli import asking, servers
from directcd.cli.servers import Refused, Server
from directcd.cli.tables import moment, table
from directcd.exits import Exit
from directcd.terminal import line
from directcd.why import Listed, Whole, text_of

TAIL_SECONDS = 1.0  # between two questions for what is new
PAGE = 100
_REF_CHARACTERS = 60


class Deliveries(BaseModel):
    """A page of the hub's list."""

    deliveries: tuple[Listed, ...]


class Refusal(BaseModel):
    """One refused delivery, or several equal ones."""

    last_at: datetime
    path: str
    status: int
    code: str
    detail: str
    next: str
    peer: str
    hints: dict[str, str]
    count: int

    def lines(self) -> str:
        """For people."""
        hints = "".join(f" ({name} {hint})" for name, hint in self.hints.items())
        times = f", {self.count} times" if self.count > 1 else ""
        head = f"{moment(self.last_at)}  {self.status} {self.code}  {self.path} from {self.peer}"
        return f"{line(head + times)}\n    {line(self.detail + hints)}\n    {line(self.next)}"


class Refusals(BaseModel):
    """A page of those."""

    refusals: tuple[Refusal, ...]


class Told(BaseModel):
    """What became of something that was told by hand."""

    number: int | None
    matched: tuple[str, ...]
    reason: str
    next: str

    def sentence(self) -> str:
        """For people."""
        step = "" if self.matched else f"; {self.next}"
        return line(f"delivery {self.number or 'to come'}: {self.reason}{step}")


@click.group(name="deliveries")
def command() -> None:
    """See what forges have delivered and what became of it; deliver it again."""


@command.command(name="list")
@click.option("--verdict", default="", help="matched, no-match, ignored, ping or duplicate.")
@click.option("--provider", default="", help="Of such forges.")
@click.option("--source", default="", help="Of this source.")
@click.option("--repository", default="", help="Of this repository, as host/path.")
@click.option("--since", default="", metavar="TIME", help="As 2026-05-01T12:00:00Z, or later.")
@click.option("-q", default="", metavar="TEXT", help="Part of an id, ref, commit or subscription.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="Lines.")
@servers.hub
@servers.as_json
def list_newest(hub: Server, *, limit: int, as_json: bool, **search: str) -> None:
    """Show the newest deliveries, all or those that are searched for."""
    query = {name: value for name, value in search.items() if value}
    answer = asking.get(hub, Deliveries, "deliveries", limit=str(limit), **query)
    if as_json:
        click.echo(answer.json)
        return
    click.echo(table([_HEADER, *map(_row, answer.value.deliveries)]))


@command.command()
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="Lines.")
@servers.hub
@servers.as_json
def refused(limit: int, hub: Server, *, as_json: bool) -> None:
    """Show what was not accepted, equal ones as one, with the reason and what to do."""
    answer = asking.get(hub, Refusals, "refusals", limit=str(limit))
    if as_json:
        click.echo(answer.json)
        return
    for one in answer.value.refusals:
        click.echo(one.lines())


@command.command()
@click.argument("delivery")
@servers.hub
@servers.as_json
def show(delivery: str, hub: Server, *, as_json: bool) -> None:
    """Show all that is known of DELIVERY: its number, or the forge's id."""
    answer = asking.get(hub, Whole, "deliveries", number_of(hub, delivery))
    click.echo(answer.json if as_json else text_of(answer.value.rows()))


@command.command()
@servers.hub
@servers.as_json
def tail(hub: Server, *, as_json: bool) -> None:
    """Print every delivery as it comes, until it is interrupted."""
    last = _newest(hub)
    while True:
        time.sleep(TAIL_SECONDS)
        for one in _after(hub, last):
            last = one.number
            shown = one.model_dump_json() if as_json else "  ".join(map(line, _row(one)))
            click.echo(shown.rstrip())


@command.command()
@click.argument("delivery")
@click.option("--to", default="", metavar="NAME", help="The one subscription. Default: all.")
@servers.hub
@servers.as_json
def redeliver(delivery: str, to: str, hub: Server, *, as_json: bool) -> None:
    """
    Tell once more what DELIVERY told, although it is known already.

    With --to only that subscription is told by the hub; a server that follows Redis itself may look
    as well, which is harmless.
    """
    body = {"subscription": to} if to else {}
    number = number_of(hub, delivery)
    answer = asking.post(hub, Told, "deliveries", number, "redeliver", **body)
    click.echo(answer.json if as_json else answer.value.sentence(), err=not as_json)


@command.command()
@servers.hub
def export(hub: Server) -> None:
    """Print every delivery whole, with its payload: one line of JSON each, newest first."""
    asking.copy(hub, "deliveries", "export", write=lambda piece: click.echo(piece, nl=False))


def number_of(hub: Server, delivery: str) -> str:
    """The number of a delivery that is given by that, or by the forge's id; else this ends it."""
    if delivery.isascii() and delivery.isdecimal():
        return delivery
    found = asking.get(hub, Deliveries, "deliveries", q=delivery, limit=str(PAGE)).value
    numbers = [one.number for one in found.deliveries if one.delivery_id == delivery]
    if not numbers:
        step = "`directcd deliveries list` shows those that are"
        raise Refused(f"no delivery {delivery} is remembered; {step}", Exit.FAILED)
    return str(numbers[0])


_HEADER = ("NUMBER", "RECEIVED AT", "SOURCE", "EVENT", "REPOSITORY", "REF", "VERDICT", "MATCHED")


def _row(one: Listed) -> tuple[str, ...]:
    return (
        str(one.number),
        moment(one.received_at),
        f"{one.provider}/{one.source}",
        one.event,
        one.repository,
        one.ref[:_REF_CHARACTERS],
        one.verdict,
        ", ".join(one.explanation.matched),
    )


def _newest(hub: Server) -> int:
    found = asking.get(hub, Deliveries, "deliveries", limit="1").value.deliveries
    return found[0].number if found else 0


def _after(hub: Server, last: int) -> list[Listed]:
    """Those that came after one, oldest first."""
    new = takewhile(lambda one: one.number > last, _newest_first(hub))
    return list(new)[::-1]


def _newest_first(hub: Server) -> Iterator[Listed]:
    more: dict[str, str] = {}
    full = True
    while full:
        page = asking.get(hub, Deliveries, "deliveries", limit=str(PAGE), **more).value.deliveries
        yield from page
        full = len(page) == PAGE
        more = {"before": str(page[-1].number)} if page else {}
