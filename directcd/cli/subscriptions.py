"""`directcd subscriptions`."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from directcd.cli import asking, servers
from directcd.cli.asking import Answer
from directcd.cli.servers import Refused, Server
from directcd.cli.tables import moment, table
from directcd.exits import Exit

LEASE_SECONDS = 86_400
"""The longest that a hub gives; who is called back has nobody to renew it sooner."""


class _Wanted(BaseModel):
    url: str
    ref: str = ""
    paths: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As one word for each thing that is asked."""
        return " ".join((self.url, self.ref, *self.paths)).strip()


class _Deliver(BaseModel):
    mode: str
    url: str = ""


class _Subscription(BaseModel):
    id: str
    name: str
    repositories: tuple[_Wanted, ...]
    expires_at: datetime
    expired: bool
    paused: bool
    deliver: _Deliver
    callback: dict[str, Any] = {}
    secret: str = ""

    @property
    def state(self) -> str:
        """In a word."""
        return "expired" if self.expired else "paused" if self.paused else "active"


class _Subscriptions(BaseModel):
    subscriptions: tuple[_Subscription, ...]


@click.group(name="subscriptions")
def command() -> None:
    """List, add, pause or remove who is told of pushes."""


@command.command(name="list")
@servers.hub
@servers.as_json
def list_all(hub: Server, *, as_json: bool) -> None:
    """Show every subscription of the hub."""
    answer = asking.get(hub, _Subscriptions, "subscriptions")
    if as_json:
        click.echo(answer.json)
        return
    click.echo(table([_HEADER, *map(_row, answer.value.subscriptions)]))


@command.command()
@click.argument("name")
@servers.hub
@servers.as_json
def show(name: str, hub: Server, *, as_json: bool) -> None:
    """Show all that is known of the subscription NAME, which may be its id."""
    answer = asking.get(hub, _Subscription, "subscriptions", _id_of(hub, name))
    _show(answer, as_json=as_json)


@command.command()
@click.argument("name")
@click.option(
    "-r",
    "--repo",
    "repos",
    required=True,
    multiple=True,
    callback=servers.without_passwords,
    metavar="URL",
    help="In any spelling. May be repeated.",
)
@click.option("--ref", default="", help="Branch, full ref or pattern of all of them. Default: any.")
@click.option(
    "--path", "paths", multiple=True, metavar="GLOB", help="Only such files. May be repeated."
)
@click.option("--callback", default="", metavar="URL", help="Is posted to. Default: it listens.")
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Holds the whsec_… that signs what is posted. Default: the hub makes one.",
)
@click.option(
    "--lease",
    "lease_seconds",
    type=click.IntRange(1, LEASE_SECONDS),
    default=LEASE_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long it lasts unless it is renewed; add it again to renew it.",
)
@servers.hub
@servers.as_json
def add(hub: Server, name: str, *, lease_seconds: int, as_json: bool, **wanted: Any) -> None:
    """
    Subscribe as NAME; a subscription of that name is replaced.

    A cd4sources server needs no such command: it subscribes by itself.
    """
    body = {"name": name, "lease_seconds": lease_seconds, **_body(**wanted)}
    _show(asking.post(hub, _Subscription, "subscriptions", **body), as_json=as_json)


@command.command()
@click.argument("name")
@servers.hub
@servers.as_json
def remove(name: str, hub: Server, *, as_json: bool) -> None:
    """Forget the subscription NAME, which may be its id."""
    found = _id_of(hub, name)
    asking.delete(hub, "subscriptions", found)
    if as_json:
        click.echo(json.dumps({"removed": found}))
    else:
        click.echo(f"{found} is removed", err=True)


@command.command()
@click.argument("name")
@servers.hub
@servers.as_json
def pause(name: str, hub: Server, *, as_json: bool) -> None:
    """Send NAME nothing until it is resumed; nothing is lost."""
    _change(hub, name, "pause", as_json=as_json)


@command.command()
@click.argument("name")
@servers.hub
@servers.as_json
def resume(name: str, hub: Server, *, as_json: bool) -> None:
    """Go on where NAME was paused."""
    _change(hub, name, "resume", as_json=as_json)


_HEADER = ("NAME", "STATE", "DELIVERY", "UNTIL", "REPOSITORIES")
_MOST_SHOWN = 3


def _row(one: _Subscription) -> tuple[str, ...]:
    shown = [str(wanted) for wanted in one.repositories[:_MOST_SHOWN]]
    more = len(one.repositories) - len(shown)
    repositories = ", ".join(shown) + (f" and {more} more" if more else "")
    return (one.name, one.state, one.deliver.mode, moment(one.expires_at), repositories)


def _show(answer: Answer[_Subscription], *, as_json: bool) -> None:
    if as_json:
        click.echo(answer.json)
        return
    one = answer.value
    rows = [
        ("id", one.id),
        ("name", one.name),
        ("state", one.state),
        ("until", moment(one.expires_at)),
        ("delivery", f"{one.deliver.mode} {one.deliver.url}"),
        *(("repository", str(wanted)) for wanted in one.repositories),
        *((name.replace("_", " "), str(value)) for name, value in one.callback.items()),
    ]
    if one.secret:
        rows.append(("secret", f"{one.secret}  (shown this once)"))
    click.echo(table(rows))


def _id_of(hub: Server, name: str) -> str:
    """The id of a subscription that is named by either."""
    known = asking.get(hub, _Subscriptions, "subscriptions").value.subscriptions
    found = next((one.id for one in known if name in {one.name, one.id}), None)
    if found is None:
        names = ", ".join(one.name for one in known) or "none"
        raise Refused(f"no subscription is called {name!r}; there are: {names}", Exit.FAILED)
    return found


def _change(hub: Server, name: str, verb: str, *, as_json: bool) -> None:
    found = _id_of(hub, name)
    _show(asking.post(hub, _Subscription, "subscriptions", found, verb), as_json=as_json)


def _body(
    *,
    repos: tuple[str, ...],
    ref: str,
    paths: tuple[str, ...],
    callback: str,
    secret_file: Path | None,
) -> dict[str, object]:
    repositories = [{"url": url, "ref": ref, "paths": list(paths)} for url in repos]
    if not callback:
        return {"repositories": repositories}
    secret = secret_file.read_text(encoding="utf-8").strip() if secret_file else ""
    deliver = {"mode": "callback", "url": callback, "secret": secret}
    return {"repositories": repositories, "deliver": deliver}
