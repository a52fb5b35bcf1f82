"""`directcd health`, as a container's health check runs it."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.hub_process import running_hub


def health(url: str) -> "subprocess.CompletedProcess[str]":
    """Run it."""
    command = [sys.executable, "-m", "directcd", "health", url]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Somebody who answers once, and what: their URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_one() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        thread = threading.Thread(target=answer_one)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_a_hub_that_is_ready_is_success(tmp_path: Path) -> None:
    """Nothing but that is said."""
    with running_hub(tmp_path) as hub:
        done = health(f"http://127.0.0.1:{hub.port}/")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (
            b'HTTP/1.1 200 OK\r\n\r\n{"status": "degraded", "reason": "a\\u001b[31m"}',
            0,
            "degraded: a",
        ),
        (b'HTTP/1.1 503 x\r\n\r\n{"detail": "d", "next": "n"}', 1, "not ready (503): d; n"),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>", 1, "is it a hub or a server?"),
        (b"HTTP/1.1 200 OK\r\n\r\n[]", 1, "is it a hub or a server?"),
        (b"SSH-2.0-x\r\n", 1, "no HTTP"),
        (b"", 1, "no HTTP"),
    ],
    ids=["degraded", "stopping", "page", "list", "ssh", "silent"],
)
def test_what_is_answered_is_said(answer: bytes, code: int, said: str) -> None:
    """In one line, which does nothing to a terminal."""
    with answering(answer) as url:
        done = health(url)
    assert done.returncode == code
    assert said in done.stdout + done.stderr
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("url", "code"), [("http://127.0.0.1:9", 1), ("ftp://x", 2), ("http://u:p@x", 2), ("x", 2)]
)
def test_nobody_and_nonsense_are_failures(url: str, code: int) -> None:
    """Each a code of its own."""
    assert health(url).returncode == code


def test_it_loads_nothing_heavy() -> None:
    """A container runs it every few seconds."""
    heavy = "{'ssl', 'http.client', 'httpx', 'fastapi', 'pydantic', 'asyncio'}"
    code = f"import sys; from directcd.cli import health; print(*({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
