"""What `directcd hook create` says when something is in the way, and what it ends with."""

import time
from pathlib import Path

import pytest

from directcd.demo.world import free_ports
from tests.support.hooking import running, scene

QUICKLY = ("--wait", "0.5")


@pytest.mark.parametrize("provider", ["github", "gitea", "gitlab"])
async def test_a_token_that_is_not_valid_is_told_with_the_scope(
    tmp_path: Path, provider: str
) -> None:
    """401."""
    async with scene(tmp_path, provider) as here:
        here.forge.token = "another"
        done = await here.run("create")
        assert done.returncode == 4
        assert "answered 401" in done.stderr
        assert "it needs the scope" in done.stderr


@pytest.mark.parametrize(("provider", "status"), [("github", 404), ("gitea", 403), ("gitlab", 403)])
async def test_a_token_that_may_not_is_told_with_the_scope(
    tmp_path: Path, provider: str, status: int
) -> None:
    """403; GitHub says 404."""
    async with scene(tmp_path, provider) as here:
        here.forge.is_allowed = False
        [told] = await here.told("create")
        assert f"answered {status}" in told["reason"]
        assert "scope" in told["next"]
        assert (await here.run("create")).returncode == 4


async def test_a_limit_is_told_with_its_end(tmp_path: Path) -> None:
    """Nothing is tried again."""
    async with scene(tmp_path, "github") as here:
        here.forge.remaining, here.forge.reset_at = 0, int(time.time()) + 600
        done = await here.run("create")
        assert done.returncode == 7
        assert "try again after" in done.stderr
        assert len(here.forge.requests) == 1


async def test_a_forge_that_is_away_is_told(tmp_path: Path) -> None:
    """With how to find out why."""
    async with scene(tmp_path, "gitea") as here:
        here.edit(here.forge.url, f"http://127.0.0.1:{free_ports(1)[0]}/api/v1")
        done = await here.run("create")
        assert done.returncode == 7
        assert "does not answer" in done.stderr


async def test_a_hub_that_does_not_run_leaves_it_registered_and_not_proven(tmp_path: Path) -> None:
    """The forge has it, and will call when the hub runs."""
    async with scene(tmp_path, "gitea") as here:
        done = await here.run("create")
        assert done.returncode == 7
        assert "created, not proven" in done.stderr
        assert "the hub cannot be asked" in done.stderr
        assert here.hook.active


async def test_a_hub_that_wants_a_token_is_told(tmp_path: Path) -> None:
    """The one of the forge is not tried there."""
    tokens = '[[hub.tokens]]\nname = "x"\nsha256 = "' + "0" * 64 + '"'
    async with running(tmp_path, "gitea", hub=tokens) as here:
        done = await here.run("create")
        assert done.returncode == 4
        assert "--hub-token-file" in done.stderr


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ("github", "the forge got no answer from http://127.0.0.1:1/webhooks/github/main (failed"),
        ("gitea", "nothing came; source main: gitea may refuse to call a loopback address"),
        ("gitlab", "requests from webhooks to the local network"),
    ],
)
async def test_a_hub_that_the_forge_cannot_reach_is_told(
    tmp_path: Path, provider: str, said: str
) -> None:
    """As exactly as the forge tells it."""
    async with running(tmp_path, provider) as here:
        here.edit(f'url = "{here.public_url}"', 'url = "http://127.0.0.1:1"')
        done = await here.run("create", *QUICKLY)
        assert done.returncode == 1
        assert "created, not proven" in done.stderr
        assert said in done.stderr


async def test_another_who_answers_is_told(tmp_path: Path) -> None:
    """GitHub got 2xx, and not from the hub that is asked."""
    async with running(tmp_path / "one", "github") as other, running(tmp_path, "github") as here:
        other.write("secrets/webhook", "the-same-secret")
        here.write("secrets/webhook", "the-same-secret")
        here.edit(f'url = "{here.public_url}"', f'url = "{other.public_url}"')
        done = await here.run("create", *QUICKLY)
        assert done.returncode == 1
        assert "by somebody else than this hub" in done.stderr


async def test_a_source_that_the_hub_does_not_have_is_told(tmp_path: Path) -> None:
    """It was added to the file, and the hub not started anew."""
    async with running(tmp_path, "gitea") as here:
        here.edit("[hub.sources.main]", "[hub.sources.new]")
        done = await here.run("create", *QUICKLY)
        assert done.returncode == 1
        assert "the hub refused it with 404" in done.stderr


async def test_a_secret_that_the_hub_has_otherwise_is_told(tmp_path: Path) -> None:
    """The file of the command names another than the hub's."""
    async with running(tmp_path, "github") as here:
        here.write("secrets/webhook", "what-the-hub-reads")
        here.edit("secrets/webhook", "secrets/other")
        [told] = await here.told("create", *QUICKLY)
        assert "the hub refused it with 401" in told["reason"]
        assert told["next"]


async def test_a_private_address_is_warned_of_beforehand(tmp_path: Path) -> None:
    """With the forge's own setting."""
    async with running(tmp_path, "gitea") as here:
        done = await here.run("create")
        assert "warning: source main: gitea may refuse to call a loopback address" in done.stderr
        assert "ALLOWED_HOST_LIST = external,loopback" in done.stderr


async def test_without_a_public_url_the_line_to_write_is_told(tmp_path: Path) -> None:
    """Nothing is asked."""
    async with scene(tmp_path, "gitea") as here:
        here.edit("public_url", "# public_url")
        for words in (("create",), ("url",)):
            done = await here.run(*words)
            assert done.returncode == 2
            assert 'public_url = "https://hub.example.com"' in done.stderr
        assert here.forge.requests == []


async def test_a_repository_of_no_source_is_told_with_the_lines_to_write(tmp_path: Path) -> None:
    """Of a forge that nobody has named."""
    async with scene(tmp_path, "gitea") as here:
        done = await here.run("create", "https://codeberg.org/acme/shop")
        assert done.returncode == 2
        assert 'provider = "forgejo"\nbase_url = "https://codeberg.org"' in done.stderr


async def test_a_file_that_nobody_named_gets_no_token_of_the_environment(tmp_path: Path) -> None:
    """It may have come with a clone, and name its author's address."""
    async with scene(tmp_path, "gitea") as here:
        done = await here.run("list", DIRECTCD_FORGE_TOKEN=here.forge.token)
        assert done.returncode == 2
        assert "say -c directcd.toml" in done.stderr
        done = await here.run("list", "-c", "directcd.toml", DIRECTCD_FORGE_TOKEN=here.forge.token)
        assert done.returncode == 0, done.stderr
