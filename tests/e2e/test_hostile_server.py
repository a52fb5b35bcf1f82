"""The commands that ask a server, against one that means harm."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

EVIL = "\x1b]0;title\x07\x1b[2J\x9b2J\u202e"
RECORD = {
    "version": f"v-{EVIL}",
    "target": f"t{EVIL}",
    "repositories": [{"url": f"u{EVIL}", "ref": f"r{EVIL}", "commit": f"c{EVIL}"}],
    "artifact": {"name": "n", "size": 3, "sha256": "x", "url": "u"},
    "built_at": "2026-01-01T00:00:00Z",
    "traceparent": None,
}
BUILD = {
    "id": f"b{EVIL}",
    "target": f"t{EVIL}",
    "version": f"v{EVIL}",
    "repositories": RECORD["repositories"],
    "reason": f"r{EVIL}",
    "state": "failed",
    "started_at": "0001-01-01T00:00:00+14:00",
    "message": f"m{EVIL}",
}
VERSION = {"current": True, "pinned": False, "running": False}
ANSWERS: dict[str, tuple[int, Any]] = {
    "/watch?repo=climbs": (200, RECORD | {"version": "v/../../x"}),
    "/watch?repo=odd": (200, RECORD | {"version": "v-000000000000"}),
    "/watch": (200, RECORD),
    "/download": (200, {}),
    "/v1/targets/odd": (200, [1, 2]),
    "/v1/targets/none/versions": (200, {"versions": [RECORD | VERSION | {"repositories": []}]}),
    "/v1/targets/app/versions": (200, {"versions": [RECORD | VERSION]}),
    "/v1/targets/app/pin": (200, {"target": f"t{EVIL}", "current": RECORD, "pinned": None}),
    "/v1/targets/app/rollback": (409, {"detail": f"d{EVIL}", "next": f"n{EVIL}"}),
    "/v1/builds?": (200, {"builds": [BUILD]}),
    "/v1/builds/app": (200, BUILD),
    "/v1/builds/odd": (200, BUILD | {"state": 7, "repositories": None}),
}


class _Hostile(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, answer = next(ANSWERS[one] for one in ANSWERS if self.path.startswith(one))
        self.send_response(status)
        body = json.dumps(answer, ensure_ascii=False).encode()
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Directcd-Last-Error", "e\x1b]0;title\x07")
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def do_POST(self) -> None:
        self.do_GET()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hostile) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def directcd(words: str, address: str) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    command = [sys.executable, "-m", "directcd", *words.split(), "--server", address]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("watch --repo x", 0),
        ("watch --repo x --json", 0),
        ("versions list app", 0),
        ("versions list none", 0),
        ("versions list app --json", 0),
        ("versions pin app v-000000000000", 0),
        ("versions rollback app", 1),
        ("builds list", 0),
        ("builds show app", 0),
    ],
)
def test_its_words_do_not_drive_the_terminal(address: str, words: str, code: int) -> None:
    """Nor turn the direction of writing."""
    done = directcd(words, address)
    assert done.returncode == code, done.stderr
    assert not set(done.stdout + done.stderr) & set(EVIL) - set("0;title[2J]")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("versions list odd", "is not a"),
        ("versions pin odd v-000000000000", "is not a"),
        ("builds show odd", "is not a"),
        ("download -o x --repo odd", "no size and digest"),
        ("download -o x --repo climbs", "is no version"),
    ],
)
def test_answers_of_another_form_are_one_sentence(address: str, words: str, why: str) -> None:
    """And nothing is written anywhere."""
    done = directcd(words, address)
    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (1, 1, "")
    assert why in done.stderr
