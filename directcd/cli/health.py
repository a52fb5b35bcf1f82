"""
`directcd health`: asks as little as it can, for containers run it every few seconds.

Python's own HTTP client would be half of what the command costs, and HTTP/1.0 needs none.
"""

import json
import os
import socket
import sys
import tomllib
from contextlib import closing
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import click

from directcd.cli import options
from directcd.exits import Exit
from directcd.listening import url_of
from directcd.terminal import line

TIMEOUT_SECONDS = 5
MOST_BYTES = 65_536
SUCCESS = 200
PORTS = {"http": 80, "https": 443}
LISTEN = {"hub": "127.0.0.1:8080", "server": "127.0.0.1:8081"}
"""Where each part listens when nothing says otherwise: the settings' own defaults."""


@click.command(name="health")
@click.argument("whom", metavar="[hub|server|URL]", default="", envvar="DIRECTCD_HUB_URL")
@options.config_file
def command(whom: str, config_file: Path) -> None:
    """
    Tell whether a hub or a server is ready.

    `hub` or `server` is asked where the configuration file, or DIRECTCD_HUB__LISTEN or
    DIRECTCD_SERVER__LISTEN, has it listen. Default: DIRECTCD_HUB_URL, or the first of the two that
    is configured, or the hub. Exits with 0 when it is ready, also while it is degraded, which is
    said; else with 1.
    """
    url = whom if whom and whom not in LISTEN else _configured(whom, config_file)
    place = _place(url)
    try:
        ready, said = _read(_asked(place))
    except (OSError, ValueError) as error:
        ready, said = False, f"no answer: {error}"
    click.echo(line(f"{url}: {said}"), err=not ready)
    sys.exit(Exit.OK if ready else Exit.FAILED)


def _configured(part: str, file: Path) -> str:
    """The URL of a part of the configuration; of the first there is when none is named."""
    document = _document(file)
    listens = {name: _listen(document, name) for name in LISTEN}
    first = next((name for name in LISTEN if listens[name]), "hub")
    return url_of(listens[part or first] or LISTEN[part or first])


def _listen(document: dict[str, object], part: str) -> str:
    """Where a part listens; nothing when it is not configured."""
    # All of the settings would take half a second to read, and are checked by who is asked.
    table = document.get(part)
    written = str(table.get("listen", LISTEN[part])) if isinstance(table, dict) else ""
    return os.environ.get(f"DIRECTCD_{part.upper()}__LISTEN") or written


def _document(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        what = f"{file} cannot be read: {error}; mend it, or say whom to ask by its URL"
        raise click.UsageError(line(what)) from error


def _place(url: str) -> SplitResult:
    try:
        place = urlsplit(url)
        is_whole = place.scheme in PORTS and place.hostname and place.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or "@" in url or not url.isascii() or not url.isprintable() or " " in url:
        raise click.UsageError("write hub, server, http://host:port or https://host")
    return place


def _asked(place: SplitResult) -> bytes:
    """All that is answered. Raises OSError when that is nothing."""
    host, port = str(place.hostname), place.port or PORTS[place.scheme]
    request = f"GET {place.path.rstrip('/')}/readyz HTTP/1.0\r\nHost: {place.netloc}\r\n\r\n"
    connection = socket.create_connection((host, port), TIMEOUT_SECONDS)
    if place.scheme == "https":
        import ssl

        connection = ssl.create_default_context().wrap_socket(connection, server_hostname=host)
    with closing(connection), connection.makefile("rb") as answer:
        connection.sendall(request.encode())
        return answer.read(MOST_BYTES)


def _read(answer: bytes) -> tuple[bool, str]:
    """Whether who answers is ready, and how it puts that. Raises ValueError when it is no HTTP."""
    head, _, body = answer.partition(b"\r\n\r\n")
    protocol, _, rest = head.partition(b" ")
    if not protocol.startswith(b"HTTP/") or not rest[:3].isdigit():
        raise ValueError("what it says is no HTTP")
    status = int(rest[:3])
    try:
        document = json.loads(body)
        if status == SUCCESS:
            return True, ": ".join(filter(None, (document["status"], document.get("reason"))))
        return False, f"not ready ({status}): {document['detail']}; {document['next']}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return False, f"it answers {status} and does not say more: is it a hub or a server?"
