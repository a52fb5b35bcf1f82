"""Canary passwords: while and after real git fetches, nobody who should not know one does."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cd4sources.settings import RepositorySettings, TargetSettings
from cd4sources.sources.git import Git
from cd4sources.sources.repository import Mirror, RepositoryError, Unreachable
from cd4sources.targets import Repository, Target
from tests.support.githttp import GitServer
from tests.support.serving import serving
from tests.support.sources import Source

CANARY = "c4n4ry-p4ss/w0rd"
QUOTED = CANARY.replace("/", "%2F")
FORMS = re.compile(f"{CANARY}|{QUOTED}")

WAYS = ["url", "token", "oauth", "file"]


def settings_of(way: str, server: GitServer, tmp_path: Path) -> RepositorySettings:
    """A repository whose credential is given in one of the ways there are."""
    file: dict[str, Any] = {}
    user, password = {
        "url": ("dev", QUOTED),
        "token": (QUOTED, ""),
        "oauth": (QUOTED, "x-oauth-basic"),
        "file": ("", ""),
    }[way]
    if way == "file":
        (tmp_path / "secret").mkdir(exist_ok=True)
        file = {"user": "dev", "password_file": tmp_path / "secret" / "token"}
        file["password_file"].write_text(CANARY)
    return RepositorySettings(url=SecretStr(server.url("app", user, password)), **file)


def login_of(way: str) -> tuple[str, str]:
    """User and password that the server wants."""
    logins = {"token": (CANARY, ""), "oauth": (CANARY, "x-oauth-basic")}
    return logins.get(way, ("dev", CANARY))


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def server(tmp_path: Path, source: Source, way: str) -> Iterator[GitServer]:
    user, password = login_of(way)
    with GitServer.serving(tmp_path / "git", user=user, password=password) as running:
        yield running


def process_table() -> str:
    """Arguments and environments of every process, as anybody of this user can read them."""
    seen = []
    for path in [*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")]:
        with contextlib.suppress(OSError):
            seen.append(path.read_bytes().decode(errors="replace"))
    return "\n".join(seen)


def files_with_canary(directory: Path) -> list[Path]:
    """The files under a directory that hold it."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return [path for path in files if FORMS.search(path.read_bytes().decode(errors="replace"))]


def mirror(tmp_path: Path, repository: Repository) -> Mirror:
    return Mirror(tmp_path / "data" / "mirror", repository, Git(tmp_path / "data", 8.0))


async def test_a_fetch_shows_it_to_nobody(
    tmp_path: Path, server: GitServer, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in any process's arguments or environment, not on disk, not in the log, not printed."""
    settings = settings_of(way, server, tmp_path)
    repository = Repository.from_settings(settings)
    tables: list[str] = []
    server.on_request = lambda: tables.append(process_table())
    one = mirror(tmp_path, repository)
    await one.checkout(await one.fetch(), tmp_path / "data" / "tree")
    assert any("git-remote-http" in table for table in tables)
    assert not [table for table in tables if FORMS.search(table)]
    assert not files_with_canary(tmp_path / "data")
    assert not FORMS.search(f"{caplog.text} {settings!r} {repository!r} {settings.model_dump()}")


async def test_a_refusal_that_echoes_it_is_masked(
    tmp_path: Path, server: GitServer, way: str
) -> None:
    """A server may say what it was sent, and git prints it: the message of the failure does not."""
    repository = Repository.from_settings(settings_of(way, server, tmp_path))
    server.wanted, server.echoes = "nobody is let in", True
    with pytest.raises(Unreachable, match="Authentication failed") as raised:
        await mirror(tmp_path, repository).fetch()
    git = Git(tmp_path / "data", 8.0)
    done = await git("ls-remote", values=(repository.url,), credential=repository.credential)
    said = f"{raised.value} {done.tail}"
    assert "remote: Basic *** " in said
    assert not FORMS.search(said)
    assert not any(login.removeprefix("Basic ") in said for login in server.logins)


async def test_a_server_shows_it_nowhere(tmp_path: Path, server: GitServer, way: str) -> None:
    """After a whole pass neither the data directory nor the API holds it."""
    target = Target.from_settings(
        TargetSettings(name="app", repositories=(settings_of(way, server, tmp_path),))
    )
    async with serving(tmp_path / "data", target) as running:
        assert running.follower().offer.current is not None
        await running.look()
        answers = [await running.http.get(path) for path in ("/v1/targets", "/v1/targets/app")]
    assert not FORMS.search("".join(answer.text for answer in answers))
    assert not files_with_canary(tmp_path / "data")


async def test_another_host_gets_nothing(tmp_path: Path, source: Source) -> None:
    """What is not the configured origin is not answered, whoever leads git there."""
    with GitServer.serving(tmp_path / "git", user="dev", password=CANARY) as thief:
        ours = RepositorySettings(url=SecretStr(f"http://dev:{QUOTED}@127.0.0.1:1/app"))
        credential = Repository.from_settings(ours).credential
        with pytest.raises(RepositoryError):
            await mirror(tmp_path, Repository(thief.url("app"), credential)).fetch()
    assert thief.requests
    assert not thief.logins
