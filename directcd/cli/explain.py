"""`directcd explain`."""

import json
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from directcd.cli import servers
from directcd.cli.servers import Server
from directcd.exits import Exit

if TYPE_CHECKING:
    from adapters import Request
    from directcd.explanations import Explained
    from directcd.why import Why

_NEEDED = 3  # provider, headers and body of a recording

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False, readable=True)


@click.command(name="explain")
@click.argument("delivery", default="")
@click.option("--provider", default="", help="Of a recorded delivery: whose it is, e.g. gitea.")
@click.option(
    "--headers",
    "headers_file",
    type=click.File("rb"),
    help="`Name: value` lines, perhaps behind a request line, or a JSON object.",
)
@click.option("--body", "body_file", type=click.File("rb"), help="The raw body; - is stdin.")
@click.option("--query", default="", help="The query string of a delivery made by GET.")
@click.option(
    "--secret-file",
    "secret_files",
    type=_FILE,
    multiple=True,
    help="Holds a secret to check the signature with; may be given more than once.",
)
@click.option(
    "--against", type=_FILE, help="A directcd.toml: say which of its targets it would reach."
)
@servers.hub_options
@servers.as_json
def command(*, delivery: str, address: str, token: str, as_json: bool, **recorded: Any) -> None:
    """
    Say what a delivery means, and whom it reaches and why.

    DELIVERY, a number or a forge's id, is one that the hub remembers, looked at with today's
    subscriptions, or with the targets of --against. Without it a recorded one is read, without a
    hub and without a network; the age of signed timestamps is then not checked. Exits with 0 if the
    delivery is understood, also if it is ignored, with 1 if it is not, and with 4 if its signature
    is wrong.
    """
    given = [name for name in ("provider", "headers_file", "body_file") if recorded[name]]
    if delivery and not given:
        if recorded["query"] or recorded["secret_files"]:
            raise click.UsageError("--query and --secret-file are for recordings, not for DELIVERY")
        against = recorded["against"]
        _remembered(servers.hub_named(address, token), delivery, against, as_json=as_json)
    elif delivery or len(given) < _NEEDED:
        raise click.UsageError("give DELIVERY, or --provider, --headers and --body of a recording")
    else:
        parts = (recorded.pop(name) for name in ("headers_file", "body_file", "query"))
        _recorded(_request(*parts), as_json=as_json, **recorded)


def _remembered(hub: Server, delivery: str, against: Path | None, *, as_json: bool) -> None:
    from directcd.cli import asking
    from directcd.cli.deliveries import number_of
    from directcd.why import Why, text_of

    number = number_of(hub, delivery)
    if against:
        why = _kept(hub, number, against)
        shown = f"against {against}\n{text_of(why.rows())}"
        click.echo(why.model_dump_json() if as_json else shown)
        return
    answer = asking.get(hub, Why, "deliveries", number, "explanation")
    click.echo(answer.json if as_json else text_of(answer.value.rows()))


def _kept(hub: Server, number: str, against: Path) -> "Why":
    from directcd.against import Kept, kept_against
    from directcd.cli import asking
    from directcd.config import load
    from directcd.recordings import RecordingError
    from directcd.why import Whole
    from hub.again import BY_HAND

    config = load(against)
    one = asking.get(hub, Whole, "deliveries", number).value
    if (one.provider, one.source) == BY_HAND:
        raise RecordingError("no forge has sent this: it was told by hand; name another delivery")
    payload = bytearray()
    asking.copy(hub, "deliveries", number, "payload", write=payload.extend)
    kept = Kept(one.provider, one.source, dict(one.headers), bytes(payload))
    return kept_against(kept, config)


def _request(headers_file: IO[bytes], body_file: IO[bytes], query: str) -> "Request":
    from directcd.recordings import recorded_request

    if headers_file is body_file:
        raise click.UsageError("standard input can be the headers or the body, not both")
    return recorded_request(headers_file.read(), body_file.read(), query)


def _recorded(
    request: "Request",
    *,
    provider: str,
    secret_files: tuple[Path, ...],
    against: Path | None,
    as_json: bool,
) -> None:
    from adapters.registry import find
    from directcd.explanations import explain
    from directcd.why import text_of
    from hub.secrets import SecretFile

    secrets = [SecretFile(path).read() for path in secret_files]
    explained = explain(find(provider), request, secrets)
    why = _why(explained, against)
    if as_json:
        more = {"explanation": why.model_dump()} if why else {}
        click.echo(json.dumps(explained.as_json() | more))
    else:
        click.echo("\n".join(explained.lines()))
        if why:
            click.echo(f"\nagainst {against}\n{text_of(why.rows())}")
    if explained.refused:
        sys.exit(Exit.FORBIDDEN)
    sys.exit(Exit.FAILED if explained.error else Exit.OK)


def _why(explained: "Explained", against: Path | None) -> "Why | None":
    if against is None or explained.outcome is None:
        return None
    from directcd.against import explained_against
    from directcd.config import load

    return explained_against(explained.outcome, load(against).target)
