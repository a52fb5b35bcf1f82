"""
`directcd health`: asks as little as it can, for containers run it every few seconds.

Python's own HTTP client would be half of what the command costs, and HTTP/1.0 needs none.
"""

import json
import socket
import sys
from contextlib import closing
from urllib.parse import SplitResult, urlsplit

import click

from directcd.exits import Exit
from directcd.terminal import line

TIMEOUT_SECONDS = 5
MOST_BYTES = 65_536
SUCCESS = 200
PORTS = {"http": 80, "https": 443}


@click.command(name="health")
@click.argument("url", default="http://127.0.0.1:8080", envvar="DIRECTCD_HUB_URL")
def command(url: str) -> None:
    """
    Tell whether a hub or a server is ready; without URL, the hub of this machine.

    Exits with 0 when it is, also while it is degraded, which is said; else with 1.
    """
    place = _place(url)
    try:
        ready, said = _read(_asked(place))
    except (OSError, ValueError) as error:
        ready, said = False, f"no answer: {error}"
    click.echo(line(said), err=not ready)
    sys.exit(Exit.OK if ready else Exit.FAILED)


def _place(url: str) -> SplitResult:
    try:
        place = urlsplit(url)
        is_whole = place.scheme in PORTS and place.hostname and place.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or "@" in url or not url.isascii() or not url.isprintable() or " " in url:
        raise click.UsageError("write http://host:port or https://host")
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
