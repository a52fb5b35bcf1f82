"""Doctor and peers that are not quite right, and tools that are not there."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import directcd
from cd4sources.http import Http
from cd4sources.sources.git import Git
from directcd.doctor import services, tools
from directcd.doctor.findings import Finding
from directcd.doctor.names import lookup

READY = {"status": "ok"}
SAME = {"name": "directcd", "version": directcd.__version__}


class Peer(BaseHTTPRequestHandler):
    """Answers what it was told to, at the hour it was told."""

    answers: dict[str, tuple[int, dict[str, Any]]]
    late_seconds = 0.0

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Its clock."""
        assert timestamp is None
        return super().date_time_string(time.time() + self.late_seconds)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's name
        """Say nothing."""

    def do_GET(self) -> None:
        """One of the answers."""
        status, document = self.answers[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())


@contextmanager
def peer(
    ready: dict[str, Any], version: dict[str, Any] = SAME, *, status: int = 200, late: float = 0.0
) -> Iterator[str]:
    """Such a peer; its address."""
    answers = {"/readyz": (status, ready), "/version": (200, version)}
    handler = type("Handler", (Peer,), {"answers": answers, "late_seconds": late})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


async def wrong(url: str) -> list[Finding]:
    """What is not fine about a peer."""
    async with Http() as http:
        found = await services.elsewhere(http, "server.hub", url)
    return [one for one in found if one.severity != "ok"]


async def test_a_peer_of_the_same_version_and_hour_is_fine() -> None:
    """A second more or less is nothing: the header has no fractions."""
    with peer(READY, late=-2.0) as url:
        assert await wrong(url) == []


@pytest.mark.parametrize("late", [-60.0, 60.0])
async def test_a_clock_that_differs_is_a_warning(late: float) -> None:
    """Timelines would be wrong by so much."""
    with peer(READY, late=late) as url:
        [finding] = await wrong(url)
    assert (finding.severity, "clock" in finding.what) == ("warning", True)


async def test_another_version_is_a_warning() -> None:
    """Both are named."""
    with peer(READY, {"name": "directcd", "version": "9.9.9"}) as url:
        [finding] = await wrong(url)
    assert "9.9.9" in finding.what
    assert directcd.__version__ in finding.what


async def test_a_degraded_hub_is_a_warning_with_its_reason() -> None:
    """It takes deliveries, and something is missing."""
    with peer({"status": "degraded", "reason": "Redis is away"}) as url:
        [finding] = await wrong(url)
    assert (finding.severity, "Redis is away" in finding.what) == ("warning", True)


async def test_a_peer_that_is_not_ready_is_a_problem_with_its_own_next_step() -> None:
    """It knows best."""
    problem = {"code": "log-unavailable", "detail": "disk full", "next": "free space"}
    with peer(problem, status=503) as url:
        [finding] = await wrong(url)
    assert (finding.severity, finding.next) == ("problem", "free space")


async def test_a_name_that_nobody_knows_is_a_problem() -> None:
    """RFC 2606 keeps this one free."""
    assert (await lookup("hub.invalid", "hub.public_url")).severity == "problem"


@pytest.mark.parametrize(
    ("says", "severity"),
    [("git version 2.20.1", "problem"), ("git version 2.39.5", "ok"), ("", "problem")],
    ids=["old", "new", "none"],
)
async def test_git_must_be_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, severity: str
) -> None:
    """And there."""
    if says:
        (tmp_path / "git").write_text(f"#!/bin/sh\necho {says}\n")
        (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    [finding] = await tools.git(Git(tmp_path / "data", 10.0))
    assert finding.severity == severity
