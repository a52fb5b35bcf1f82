"""
Senders that mean no good, run as a process of their own: `python -m tests.support.hostile PORT`.

Forty wrongly signed bodies of 25 MiB and sixty unsigned ones, all at once, each on a connection of
its own; JSON and forms, with and without Content-Length. Prints each answer's status, a line each.
"""

import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

BODY_BYTES = 25 * 1024 * 1024
PIECE_BYTES = 256 * 1024
SIGNED, UNSIGNED = 40, 60

FORM = b"application/x-www-form-urlencoded"
WRONG = b"0" * 64
GITHUB = b"X-GitHub-Event: push\r\nX-Hub-Signature-256: sha256=" + WRONG + b"\r\n"
GITEA = b"X-Gitea-Event: push\r\nX-Gitea-Signature: " + WRONG + b"\r\n"

KINDS = [
    (b"/webhooks/github/main", GITHUB, b"application/json", False),
    (b"/webhooks/github/main", GITHUB, FORM, True),
    (b"/webhooks/gitea/tea", GITEA, b"application/json", True),
    (b"/webhooks/gitea/tea", GITEA, FORM, False),
]


def pieces(content_type: bytes) -> Iterator[bytes]:
    """A body of nearly 25 MiB: of a form, every byte is written as three."""
    yield b"payload=" if content_type == FORM else b'{"a":"'
    piece = (b"%3d" if content_type == FORM else b"{},") * (PIECE_BYTES // 3)
    for _ in range(BODY_BYTES // len(piece) - 1):
        yield piece


def send(port: int, number: int) -> str:
    """One body; what became of it."""
    path, signature, content_type, chunked = KINDS[number % len(KINDS)]
    if number >= SIGNED:
        signature = b"X-GitHub-Event: push\r\n"
    size = sum(map(len, pieces(content_type)))
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
    head = b"POST %s HTTP/1.1\r\nHost: hub\r\nContent-Type: %s\r\n%s%s\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        with suppress(ConnectionError):
            connection.sendall(head % (path, content_type, signature, length))
            for piece in pieces(content_type):
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            connection.sendall(b"0\r\n\r\n" if chunked else b"")
        with suppress(ConnectionError):
            return connection.recv(65536).split(b" ", 2)[1].decode()
    return "reset"


def main() -> None:
    """Send them all."""
    port = int(sys.argv[1])
    with ThreadPoolExecutor(SIGNED + UNSIGNED) as threads:
        for status in threads.map(lambda number: send(port, number), range(SIGNED + UNSIGNED)):
            sys.stdout.write(f"{status}\n")


if __name__ == "__main__":
    main()
