"""`directcd watch`, `download`, `token` and `key`, against a server of its own process."""

import hashlib
import json
import os
import pty
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cd4sources import signing
from cd4sources.tokens import digest
from directcd.demo.world import free_ports
from tests.support.commands import started, terminate
from tests.support.serving import BUILD_SH
from tests.support.sources import Source

CONFIGURATION = """
[server]
listen = "127.0.0.1:%d"
data = "%s"
%s
[[target]]
name = "app"
repositories = [{ url = "%s" }]
"""
WORDS = "program\n" * 100_000


def directcd(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    command = [sys.executable, "-m", "directcd", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=40)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watch")


@pytest.fixture(scope="module")
def asking(place: Path) -> Iterator[list[str]]:
    """A running server that wants a token, and the arguments that ask it with one."""
    made = directcd("token", "new", "--name", "tests")
    (place / "token").write_text(made.stdout)
    source = Source(place / "app")
    source.commit({"build.sh": BUILD_SH, "words": WORDS})
    [port] = free_ports(1)
    file = place / "directcd.toml"
    file.write_text(CONFIGURATION % (port, place / "data", made.stderr, source.path))
    command: list[str | Path] = [sys.executable, "-m", "directcd", "server", "-c", file]
    server = ["--server", f"http://127.0.0.1:{port}", "--repo", str(source.path)]
    with started(command, "version published") as process:
        yield [*server, "--token-file", str(place / "token")]
        terminate(process)


@pytest.fixture(scope="module")
def version(asking: list[str]) -> str:
    return directcd("watch", *asking).stdout.strip()


def test_watch_prints_the_version(asking: list[str], version: str) -> None:
    """Data on stdout; for people, what it is made of."""
    done = directcd("watch", *asking, "--json")
    assert (done.returncode, json.loads(done.stdout)["version"]) == (0, version)
    assert "app: " in directcd("watch", *asking).stderr


def test_nothing_new_is_a_code_of_its_own(asking: list[str], version: str) -> None:
    """A script need not compare anything."""
    done = directcd("watch", *asking, "--version", version, "--timeout", "0.1")
    assert (done.returncode, done.stdout) == (3, "")


def test_watch_goes_on_when_asked(asking: list[str], version: str) -> None:
    """One line a version, and no end when there is nothing new."""
    command = [sys.executable, "-m", "directcd", "watch", *asking, "--follow", "--timeout", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == f"{version}\n"
        with pytest.raises(subprocess.TimeoutExpired):
            following.wait(timeout=1)
        following.terminate()
        assert following.stdout.read() == ""


def test_a_terminal_sees_the_progress(asking: list[str], version: str, place: Path) -> None:
    """And only a terminal."""
    terminal, theirs = pty.openpty()
    command = [sys.executable, "-m", "directcd", "download", *asking, "-o", str(place / "seen")]
    subprocess.run(command, stderr=theirs, check=True, timeout=40)
    os.close(theirs)
    said = os.read(terminal, 65536).decode()
    os.close(terminal)
    assert version in said
    assert "800.0/800.0" in said
    assert directcd("download", *asking, "-o", place / "seen").stderr.count("\n") == 1


def test_a_download_is_whole_and_executable(asking: list[str], version: str, place: Path) -> None:
    """And nothing else is left beside it."""
    output = place / "out" / "program"
    output.parent.mkdir()
    done = directcd("download", *asking, "-o", output, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "output": str(output),
        "version": version,
        "size": len(WORDS),
        "sha256": hashlib.sha256(WORDS.encode()).hexdigest(),
    }
    assert (output.read_text(), os.access(output, os.X_OK)) == (WORDS, True)
    assert list(output.parent.iterdir()) == [output]


def test_a_broken_download_goes_on(asking: list[str], version: str, place: Path) -> None:
    """The rest is added to what an earlier attempt left."""
    (place / f".resumed.{version}.part").write_text(WORDS[: len(WORDS) // 2])
    assert directcd("download", *asking, "-o", place / "resumed").returncode == 0
    assert (place / "resumed").read_text() == WORDS


def test_wrong_bytes_never_get_the_name(asking: list[str], version: str, place: Path) -> None:
    """The digest is also of those that were here before; the next attempt begins anew."""
    (place / f".damaged.{version}.part").write_text("damage")
    done = directcd("download", *asking, "-o", place / "damaged")
    assert (done.returncode, "SHA-256" in done.stderr) == (1, True)
    assert not (place / "damaged").exists()
    assert directcd("download", *asking, "-o", place / "damaged").returncode == 0


def test_a_version_that_is_gone_is_told(asking: list[str], version: str, place: Path) -> None:
    """With the one there is."""
    done = directcd("download", *asking, "--version", "v-000000000000", "-o", place / "none")
    assert (done.returncode, version in done.stderr) == (1, True)


def test_a_missing_token_is_a_code_of_its_own(asking: list[str]) -> None:
    """Before anything is told."""
    done = directcd("watch", *asking[:4])
    assert (done.returncode, "directcd token new" in done.stderr) == (4, True)


def test_an_unknown_repository_is_named(asking: list[str]) -> None:
    """With the nearest."""
    done = directcd("watch", *asking, "--repo", "https://git.example.com/none")
    assert (done.returncode, "the nearest is app" in done.stderr) == (1, True)


@pytest.mark.parametrize("command", [["watch"], ["download", "-o", "x"]], ids=str)
def test_a_server_out_of_reach_is_a_code_of_its_own(command: list[str]) -> None:
    """And one sentence."""
    [port] = free_ports(1)
    done = directcd(*command, "-s", f"http://127.0.0.1:{port}", "-r", "https://git.example.com/a")
    assert (done.returncode, done.stderr.count("\n")) == (7, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-s", "http://user:hunter2@host", "-r", "https://git.example.com/a"],
        ["-s", "http://host", "-r", "https://user:hunter2@git.example.com/a"],
        ["-s", "http://host", "-r", "https://git.example.com/a=https://user:hunter2@host/b"],
        ["-s", "ftp://host", "-r", "https://git.example.com/a"],
        ["-s", "http://host", "-r", "https://git.example.com/a", "--token-file", "/nowhere"],
    ],
    ids=["in the server", "in a repository", "in a replacement", "scheme", "no token"],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str]) -> None:
    """A password that others could read, too, without showing it."""
    done = directcd("watch", *arguments)
    assert (done.returncode, "hunter2" in done.stderr) == (2, False)


def test_a_token_is_printed_once(tmp_path: Path) -> None:
    """Alone on stdout; beside it what the server must know, which is no secret."""
    done = directcd(
        "token", "new", "--name", 'the "ops"', "--scope", "admin", "--repository", "a/*"
    )
    token = done.stdout.strip()
    assert tomllib.loads(done.stderr)["server"]["tokens"] == [
        {"name": 'the "ops"', "sha256": digest(token), "scopes": ["admin"], "repositories": ["a/*"]}
    ]
    assert token not in done.stderr
    assert json.loads(directcd("token", "new", "--json").stdout)["scopes"] == ["read"]


def test_a_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    """An existing one is not overwritten."""
    path = tmp_path / "key.pem"
    done = directcd("key", "new", "--out", path)
    key = signing.load_private_key(path)
    assert done.stdout.strip() == signing.public_line(key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = directcd("key", "new", "--out", path)
    assert (again.returncode, "File exists" in again.stderr) == (1, True)


def test_a_bad_signing_key_is_one_sentence(tmp_path: Path) -> None:
    """Found by `config check`, before the server starts."""
    file = tmp_path / "directcd.toml"
    key = f'signing_key_file = "{tmp_path / "none.pem"}"'
    file.write_text(CONFIGURATION % (8081, tmp_path, key, tmp_path))
    done = directcd("config", "check", "-c", file)
    assert (done.returncode, "none.pem" in done.stderr, done.stderr.count("\n")) == (2, True, 1)


def test_a_token_is_told_to_whom_its_scopes_belong() -> None:
    """Scopes that only a hub knows make lines for the hub; a server is not told of them."""
    made = directcd("token", "new", "--scope", "subscribe", "--scope", "report")
    assert made.stderr.startswith("[[hub.tokens]]\n")
    assert 'scopes = ["subscribe", "report"]' in made.stderr
    assert directcd("token", "new", "--for", "hub").stderr.startswith("[[hub.tokens]]\n")
    wrong = directcd("token", "new", "--for", "server", "--scope", "report")
    assert (wrong.returncode, wrong.stdout) == (2, "")
