"""Asking for a tip without git: the right object, or no answer at all."""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from pydantic import SecretStr

from cd4sources.settings import RepositorySettings
from cd4sources.sources.git import Git
from cd4sources.sources.remotes import Remotes
from cd4sources.sources.repository import Mirror
from cd4sources.sources.tips import Tips
from cd4sources.targets import Repository
from tests.support.githttp import GitServer
from tests.support.sources import Source

INFO_REFS = ("GET", "/app/info/refs?service=git-upload-pack")
ASKED = ("POST", "/app/git-upload-pack")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    made = Source(tmp_path / "git" / "app")
    made.commit({"a.txt": "one\n"})
    return made


@pytest.fixture
def server(tmp_path: Path, source: Source) -> Iterator[GitServer]:
    with GitServer.serving(tmp_path / "git", user="dev", password="word") as running:
        yield running


@pytest.fixture
async def tips() -> AsyncIterator[Tips]:
    async with aclosing(Remotes()) as remotes:
        yield Tips(remotes, {})


def repository(server: GitServer, ref: str = "", said: str = "word") -> Repository:
    url = SecretStr(server.url("app", "dev", said))
    return Repository.from_settings(RepositorySettings(url=url, ref=ref))


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
@pytest.mark.parametrize("ref", ["", "main", "refs/tags/light", "refs/tags/annotated"])
async def test_the_tip_is_what_git_says(
    tmp_path: Path, server: GitServer, tips: Tips, ref: str, object_format: str
) -> None:
    """HEAD, a branch, a tag; of an annotated tag the tag itself."""
    shutil.rmtree(tmp_path / "git" / "app")
    source = Source(tmp_path / "git" / "app", object_format=object_format)
    source.commit({"a.txt": "one\n"})
    for arguments in (("light",), ("--annotate", "--message=x", "annotated")):
        source.git("tag", *arguments)
    source.git("branch", "main-too")
    one = repository(server, ref)
    assert await tips.tip(one) == source.git("rev-parse", one.ref or "HEAD")


async def test_another_question_costs_one_request(server: GitServer, tips: Tips) -> None:
    """How to ask is remembered."""
    for _ in range(3):
        assert await tips.tip(repository(server))
    assert server.requests == [INFO_REFS, ASKED, ASKED, ASKED]


@pytest.mark.parametrize("ref", ["nope", "mai", "refs/pull/refs/heads/main"])
async def test_a_missing_ref_is_no_answer(server: GitServer, tips: Tips, ref: str) -> None:
    """Neither is one that only begins or ends like it."""
    assert await tips.tip(repository(server, ref)) is None


@pytest.mark.parametrize("status", [301, 401, 403, 404, 429, 500])
async def test_whatever_else_is_answered_is_no_answer(
    server: GitServer, tips: Tips, status: int
) -> None:
    """At either of the two requests; then everything is asked anew."""
    for before in ([status], [200, status]):
        server.fail_next = before
        assert await tips.tip(repository(server)) is None
    server.fail_next = []
    assert await tips.tip(repository(server))


async def test_a_wrong_password_is_no_answer(server: GitServer, tips: Tips) -> None:
    """Git will say it in its own words."""
    assert await tips.tip(repository(server, said="wrong")) is None


async def test_an_older_protocol_is_no_answer(server: GitServer, tips: Tips) -> None:
    """A server that lists all its refs at once is left to git."""
    server.protocol = ""
    assert await tips.tip(repository(server)) is None


async def test_a_redirect_gets_no_password(tmp_path: Path, server: GitServer, tips: Tips) -> None:
    """It is not followed."""
    with GitServer.serving(tmp_path / "git") as thief:
        server.redirect_to = thief.url("")[:-1]
        assert await tips.tip(repository(server)) is None
    assert not thief.requests


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
async def test_a_proxy_is_left_to_git(server: GitServer, variable: str) -> None:
    """Git knows how to get through."""
    async with aclosing(Remotes()) as remotes:
        assert await Tips(remotes, {variable: "http://127.0.0.1:1"}).tip(repository(server)) is None
    assert not server.requests


async def test_nobody_listening_is_no_answer(server: GitServer, tips: Tips) -> None:
    """So is another kind of address."""
    server.close()
    assert await tips.tip(repository(server)) is None
    assert await tips.tip(Repository("ssh://git@127.0.0.1:1/app")) is None
    assert await tips.tip(Repository("/srv/app")) is None


@pytest.mark.parametrize("ref", ["", "refs/tags/v1"])
async def test_an_unchanged_ref_is_not_fetched(
    tmp_path: Path, server: GitServer, source: Source, tips: Tips, ref: str
) -> None:
    """One request and no git; what has changed is fetched; a lost mirror is made again."""
    source.git("tag", "--annotate", "--message=x", "v1")
    one = Mirror(tmp_path / "mirror", repository(server, ref), Git(tmp_path / "data", 8.0), tips)
    first = await one.fetch()
    await one.fetch()
    server.requests.clear()
    assert (await one.fetch(), server.requests) == (first, [ASKED])
    shutil.rmtree(tmp_path / "mirror")
    assert await one.fetch() == first
    wanted = source.commit({"a.txt": "two\n"})
    source.git("tag", "--force", "--annotate", "--message=x", "v1")
    assert await one.fetch() == wanted
