"""Doctor asks the servers that hub and client use, as those do."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cd4sources.settings import TokenSettings
from cd4sources.tokens import digest, new_token
from directcd.doctor.examining import examined
from directcd.doctor.findings import Finding
from tests.support.serving import BUILD_SH, listening, target_of
from tests.support.sources import Source

TOKEN = new_token()
FILE = """
[hub]
listen = "127.0.0.1:1"
data = "{place}/hub"
[hub.servers.east]
url = "{url}"
token_file = "{place}/{token}"
[client]
servers = ["{url}"]
data = "{place}/client"
token_file = "{place}/{token}"
[[target]]
name = "shop"
repositories = [{{ url = "{repository}", ref = "{ref}" }}]
"""


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """What the server offers."""
    made = Source(tmp_path / "git" / "shop")
    made.commit({"build.sh": BUILD_SH, "words": "one"})
    return made


@pytest.fixture
async def url(tmp_path: Path, source: Source) -> AsyncIterator[str]:
    """A server that wants a token, and has one target."""
    tokens = (TokenSettings(name="machines", sha256=digest(TOKEN)),)
    target = target_of("shop", source.path, ref="main")
    async with listening(tmp_path / "server", target, tokens=tokens) as server:
        yield str(server.http.base_url)


async def found(
    place: Path, url: str, repository: Path, *, token: str = TOKEN, ref: str = "main"
) -> dict[str, list[Finding]]:
    """What is found at the keys that name servers and tokens."""
    (place / "token").write_text(token)
    (place / "token").chmod(0o600)
    file = place / "directcd.toml"
    text = FILE.format(place=place, url=url, token="token", repository=repository, ref=ref)
    file.write_text(text)
    keys = ("hub.servers.east.url", "hub.servers.east.token_file", "client.servers[0]",
            "client.token_file")  # fmt: skip
    findings = await examined(file)
    return {key: [one for one in findings if one.where == f"{file}:{key}"] for key in keys}


async def test_who_is_let_in_and_finds_its_target_is_fine(
    tmp_path: Path, url: str, source: Source
) -> None:
    """Whatever else there is to be said, of its version perhaps."""
    findings = await found(tmp_path, url, source.path)
    assert all(one.severity != "problem" for some in findings.values() for one in some)
    said = [one.what for one in findings["client.servers[0]"]]
    assert any("has what the client runs" in what for what in said)
    said = [one.what for one in findings["hub.servers.east.url"]]
    assert any("lets the hub look at its builds" in what for what in said)


async def test_a_token_that_a_server_does_not_know_is_a_problem(
    tmp_path: Path, url: str, source: Source
) -> None:
    """Of the hub and of the client, at the key of the token, which is not shown."""
    findings = await found(tmp_path, url, source.path, token=(wrong := new_token()))
    for key in ("hub.servers.east.token_file", "client.token_file"):
        problems = [one for one in findings[key] if one.severity == "problem"]
        assert len(problems) == 1
        assert "directcd token new" in problems[0].next
        assert wrong not in str(problems)


async def test_a_target_that_a_server_does_not_have_is_a_problem(
    tmp_path: Path, url: str, source: Source
) -> None:
    """The client would wait for ever."""
    for repository, ref in ((tmp_path / "other", "main"), (source.path, "dev")):
        findings = await found(tmp_path, url, repository, ref=ref)
        problems = [one for one in findings["client.servers[0]"] if one.severity == "problem"]
        assert len(problems) == 1
        assert problems[0].next


async def test_a_server_that_is_away_is_told_once(tmp_path: Path, source: Source) -> None:
    """By the check that looks whether it runs."""
    findings = await found(tmp_path, "http://127.0.0.1:9", source.path)
    assert [one.severity for some in findings.values() for one in some].count("problem") == 1
