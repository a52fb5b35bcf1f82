"""`directcd builds` and `directcd versions`, against a server in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from directcd.demo.world import free_ports
from tests.support.commands import started
from tests.support.serving import BUILD_SH
from tests.support.sources import Source

SERVER = """
[server]
listen = "127.0.0.1:{port}"
data = "{data}"
poll_interval_seconds = 0.1
[[target]]
name = "app"
repositories = [{{ url = "{source}" }}]
"""


def directcd(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    command = [sys.executable, "-m", "directcd", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    made = Source(tmp_path / "app")
    made.commit({"build.sh": f"printf '\\033[2Jsome words\\n'\n{BUILD_SH}", "words": "one"})
    return made


@pytest.fixture
def address(tmp_path: Path, source: Source) -> Iterator[str]:
    """A server that has begun to build."""
    [port] = free_ports(1)
    file = tmp_path / "directcd.toml"
    file.write_text(SERVER.format(port=port, data=tmp_path / "data", source=source.path))
    command = [sys.executable, "-m", "directcd", "server", "-c", str(file)]
    with started(command, "version published"):
        yield f"http://127.0.0.1:{port}"


def test_operator_sees_and_changes(address: str) -> None:
    """List, show, log, pin, rebuild: tables for people, JSON for programs, sentences on stderr."""
    at = ("--server", address)
    (build,) = json.loads(directcd("builds", "list", "app", *at, "--json").stdout)["builds"]
    assert build["id"] in directcd("builds", "list", *at).stdout
    assert "state        ok" in directcd("builds", "show", build["id"], *at).stdout
    logged = directcd("builds", "logs", "-f", build["id"], *at).stdout
    assert logged.startswith("\x1b[2Jsome words\n")
    lines = directcd("builds", "logs", build["id"], *at, "--json").stdout.splitlines()
    assert [json.loads(one)["line"] for one in lines] == logged.splitlines()
    pinned = directcd("versions", "pin", "app", build["version"], *at)
    assert (pinned.stdout, "pinned" in pinned.stderr) == ("", True)
    assert "current pinned" in directcd("versions", "list", "app", *at).stdout
    state = json.loads(directcd("versions", "unpin", "app", *at, "--json").stdout)
    assert state["pinned"] is None
    assert directcd("builds", "rebuild", "app", *at).returncode == 0


def test_versions_say_why_there_is_no_newer_one(address: str, source: Source) -> None:
    """In the place where people look first."""
    source.commit({"build.sh": "echo no such header; exit 7\n"})
    argv = ("versions", "list", "app", "--server", address)
    seen = directcd(*argv)
    while "not offered" not in seen.stderr:
        seen = directcd(*argv)
    assert "ended with 7" in seen.stderr


def test_refusals_end_with_their_code(address: str) -> None:
    """1 when the server says no, with its reason and next step; 7 when nobody is there."""
    refused = directcd("versions", "rollback", "app", "--server", address)
    assert (refused.returncode, "push a commit" in refused.stderr) == (1, True)
    cancelled = directcd("builds", "cancel", "b-0000000000000", "--server", address)
    assert (cancelled.returncode, "see `directcd builds list`" in cancelled.stderr) == (1, True)
    away = directcd("builds", "list", "--server", "http://127.0.0.1:1")
    assert (away.returncode, "out of reach" in away.stderr) == (7, True)
