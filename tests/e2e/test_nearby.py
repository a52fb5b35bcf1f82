"""Commands that ask a hub or a server, in a directory with a directcd.toml."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cd4sources.tokens import digest
from hub.settings import HubTokenSettings
from tests.support.hubs import serving_hub, settings

COMMAND = str(Path(sys.executable).with_name("directcd"))
STATUS = ("status", "--json")


@dataclass(frozen=True)
class Hub:
    """A guarded hub, and a directory whose directcd.toml follows it."""

    url: str
    place: Path

    async def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The installed command, in that directory."""
        return await asyncio.to_thread(
            subprocess.run,
            [COMMAND, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            cwd=self.place,
        )


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """It runs elsewhere than by default."""
    guard = HubTokenSettings(name="me", sha256=digest("dcd_4711"))
    async with serving_hub(settings(tmp_path / "hub", tokens=(guard,))) as (url, _, _):
        (tmp_path / "token").write_text("dcd_4711")
        server = f'[server]\nhub = "{url}"\nhub_token_file = "{tmp_path}/token"\n'
        (tmp_path / "directcd.toml").write_text(server)
        yield Hub(url, tmp_path)


async def test_the_hub_and_its_token_are_those_of_the_file(hub: Hub) -> None:
    """Without an option or a variable."""
    done = await hub.run(*STATUS)
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"targets": []}\n', "")


async def test_options_win_and_take_no_token_of_the_file_along(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be meant for another hub; so do variables."""
    assert (await hub.run(*STATUS, "--hub", "http://127.0.0.1:9")).returncode == 7
    done = await hub.run(*STATUS, "--hub", hub.url)
    assert (done.returncode, "--token-file FILE" in done.stderr) == (4, True)
    monkeypatch.setenv("DIRECTCD_HUB_URL", "http://127.0.0.1:9")
    assert (await hub.run(*STATUS)).returncode == 7


async def test_a_broken_file_is_told_and_does_not_matter_when_a_hub_is_named(hub: Hub) -> None:
    """What is wrong with it, and the way round it."""
    (hub.place / "directcd.toml").write_text("[hbu]")
    done = await hub.run(*STATUS)
    assert (done.returncode, "or name who is asked by --hub URL" in done.stderr) == (2, True)
    assert 'did you mean "hub"?' in done.stderr
    done = await hub.run(*STATUS, "--hub", hub.url, "--token-file", "token")
    assert (done.returncode, done.stderr) == (0, "")


async def test_a_strangers_file_takes_no_token_to_another_machine(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither that of the file nor of an option; who names the file has looked into it."""
    file = hub.place / "directcd.toml"
    file.write_text(file.read_text().replace(hub.url, "http://192.0.2.1:9"))
    for words in (STATUS, (*STATUS, "--token-file", "token")):
        done = await hub.run(*words)
        assert (done.returncode, "not on this machine" in done.stderr) == (2, True)
        assert "--hub http://192.0.2.1:9" in done.stderr
    file.write_text(file.read_text().replace("192.0.2.1", "localhost"))
    assert (await hub.run(*STATUS)).returncode == 7
    file.write_text(file.read_text().replace("localhost", "hub.invalid"))
    monkeypatch.setenv("DIRECTCD_CONFIG", "directcd.toml")
    assert (await hub.run(*STATUS)).returncode == 7


async def test_a_strangers_file_moves_no_cursor(hub: Hub) -> None:
    """A key of it is told as text."""
    (hub.place / "directcd.toml").write_text('"\\u001b]52;c;aGk=\\u0007x" = 1\n')
    done = await hub.run(*STATUS)
    assert (done.returncode, "\x1b" in done.stderr) == (2, False)


async def test_a_token_file_that_cannot_be_read_is_named_by_its_setting(hub: Hub) -> None:
    """And another may be given."""
    (hub.place / "token").rename(hub.place / "moved")
    done = await hub.run(*STATUS)
    assert done.returncode == 2
    assert "server.hub_token_file" in done.stderr
    assert (await hub.run(*STATUS, "--token-file", "moved")).returncode == 0


async def test_the_server_is_that_of_the_file(hub: Hub) -> None:
    """As told by who is out of reach."""
    (hub.place / "directcd.toml").write_text('[server]\nlisten = "127.0.0.1:9"\n')
    done = await hub.run("builds", "list")
    assert (done.returncode, "http://127.0.0.1:9" in done.stderr) == (7, True)


async def test_a_recording_is_explained_beside_any_file(hub: Hub) -> None:
    """No hub is asked; and where defaults come from is in each help."""
    (hub.place / "directcd.toml").write_text("[hbu]")
    (hub.place / "headers").write_text("X-GitHub-Event: ping\nContent-Type: application/json\n")
    (hub.place / "body").write_text("{}")
    files = ["--headers", "headers", "--body", "body"]
    assert (await hub.run("explain", "--provider", "github", *files)).returncode == 0
    for words in (["status"], ["explain"], ["watch"]):
        assert "./directcd.toml" in (await hub.run(*words, "--help")).stdout
