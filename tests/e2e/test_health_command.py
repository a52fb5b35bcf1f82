"""`directcd health`, as a container's health check runs it."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.hub_process import running_hub


def health(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run it."""
    command = [sys.executable, "-m", "directcd", "health", *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | environment
    )


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
    """That is said, and who was asked."""
    with running_hub(tmp_path) as hub:
        done = health(f"http://127.0.0.1:{hub.port}/")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"http://127.0.0.1:{hub.port}/: ok\n"


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


@pytest.mark.parametrize(
    ("words", "environment", "asked"),
    [
        ([], {}, "http://127.0.0.1:4"),
        (["hub"], {}, "http://127.0.0.1:4"),
        (["server"], {}, "http://[::1]:5"),
        (["server"], {"DIRECTCD_SERVER__LISTEN": ":6"}, "http://127.0.0.1:6"),
        ([], {"DIRECTCD_HUB_URL": "http://127.0.0.1:7"}, "http://127.0.0.1:7"),
        (["http://127.0.0.1:8"], {}, "http://127.0.0.1:8"),
    ],
)
def test_who_is_configured_is_asked(
    tmp_path: Path, words: list[str], environment: dict[str, str], asked: str
) -> None:
    """One file may serve a hub and a server, each in its own container."""
    file = tmp_path / "directcd.toml"
    file.write_text('[hub]\nlisten = "0.0.0.0:4"\n\n[server]\nlisten = "[::]:5"\n')
    done = health(*words, DIRECTCD_CONFIG=str(file), **environment)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{asked}: no answer")


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ('[server]\nlisten = "127.0.0.1:4"\n', "http://127.0.0.1:4"),
        ("[server]\n", "http://127.0.0.1:8081"),
    ],
)
def test_a_server_alone_is_asked_without_being_named(tmp_path: Path, text: str, asked: str) -> None:
    """As by the health check of the image."""
    file = tmp_path / "directcd.toml"
    file.write_text(text)
    done = health("-c", str(file))
    assert asked in done.stdout + done.stderr


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """And nobody else is asked instead."""
    file = tmp_path / "directcd.toml"
    file.write_text("[server\n")
    done = health("-c", str(file))
    assert done.returncode == 2
    assert "cannot be read" in done.stderr


def test_it_loads_nothing_heavy() -> None:
    """A container runs it every few seconds."""
    heavy = "{'ssl', 'http.client', 'httpx', 'fastapi', 'pydantic', 'asyncio'}"
    code = f"import sys; from directcd.cli import health; print(*({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
