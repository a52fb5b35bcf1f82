"""`directcd hook create`: registered once, as it should be, and proven by what came back."""

from pathlib import Path

import pytest

from tests.support.forge_apis.server import Answer
from tests.support.hooking import NAME, SECRET_FILE, running

PROVIDERS = ["github", "gitea", "forgejo", "gitlab"]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_hook_is_made_with_a_new_secret_and_proven(tmp_path: Path, provider: str) -> None:
    """The secret is in a file that only its owner reads."""
    async with running(tmp_path, provider) as scene:
        done = await scene.run("create")
        assert done.returncode == 0, done.stderr
        assert "created, proven: delivery" in done.stderr
        assert f"{SECRET_FILE} was made" in done.stderr
        assert scene.secret_file.stat().st_mode & 0o777 == 0o600
        assert (scene.hook.secret, scene.hook.active) == (scene.secret, True)
        assert len(scene.secret) == 64


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_once_more_updates_what_is_there(tmp_path: Path, provider: str) -> None:
    """Nothing is doubled, and the secret stays."""
    async with running(tmp_path, provider) as scene:
        await scene.run("create")
        hook, secret = scene.hook, scene.secret
        [told] = await scene.told("create", "https://git.test/acme/shop")
        assert (told["did"], told["id"], told["proven"]) == ("updated", hook.id, True)
        assert (scene.hook, scene.secret) == (hook, secret)


@pytest.mark.parametrize("provider", ["gitea", "gitlab"])
async def test_a_hook_that_is_there_is_mended_and_keeps_what_was_set(
    tmp_path: Path, provider: str
) -> None:
    """Its branches and its header for a proxy: an update that left them out would clear them."""
    async with running(tmp_path, provider) as scene:
        scene.write(SECRET_FILE, "webhook-secret-5b1d")
        other = "issues_events" if provider == "gitlab" else "issues"
        kept = {"branch_filter": "release/*", "authorization_header": "Basic cHJveHk="}
        hook = scene.add_hook(active=False, content_type="form", events=[other], **kept)
        hook.active = provider == "gitlab"
        await scene.run("create", "--wait", "0.5")
        assert scene.hook.active
        assert scene.hook.content_type == ("form" if provider == "gitlab" else "json")
        assert {other, "push" if provider == "gitea" else "push_events"} <= {*scene.hook.events}
        assert {name: getattr(scene.hook, name) for name in kept} == kept


async def test_a_secret_that_never_changes_has_the_hook_made_anew(tmp_path: Path) -> None:
    """Gitea looks at no secret in an update: the old one goes when the new one is there."""
    async with running(tmp_path, "gitea") as scene:
        old = scene.add_hook(secret="somebody-else-made-this")
        [told] = await scene.told("create")
        assert told["proven"], told
        assert told["did"] == f"made anew instead of {old.id}, whose secret was another"
        assert (scene.hook.id, scene.hook.secret) == (told["id"], scene.secret)


async def test_who_is_slower_updates_what_the_other_made(tmp_path: Path) -> None:
    """GitHub refuses the second of two equal webhooks with 422."""
    async with running(tmp_path, "github") as scene:
        hook = scene.add_hook(events=["push"])
        scene.forge.fail_next = [Answer(200, [])]
        [told] = await scene.told("create")
        assert (told["did"], told["id"], told["proven"]) == ("updated", hook.id, True)


@pytest.mark.parametrize("provider", ["github", "gitlab"])
async def test_an_organisation_has_one_hook_for_all(tmp_path: Path, provider: str) -> None:
    """A ping proves it at GitHub; GitLab's fake, like its old versions, cannot test it."""
    async with running(tmp_path, provider) as scene:
        [told] = await scene.told("create", "--org", "Acme", "--wait", "0.5")
        assert told["organisation"]
        assert told["proven"] == (provider == "github")
        assert scene.hook.owner == "acme"


@pytest.mark.parametrize(
    ("provider", "words", "said"),
    [
        ("gogs", (), "the API of gogs tests no webhook of a repository"),
        ("gitea", ("--org", "acme"), "the API of gitea tests no webhook of an organisation"),
    ],
)
async def test_what_cannot_be_tested_is_registered_and_not_proven(
    tmp_path: Path, provider: str, words: tuple[str, ...], said: str
) -> None:
    """How a person proves it is said."""
    async with running(tmp_path, provider) as scene:
        done = await scene.run("create", *words)
        assert done.returncode == 1
        assert "created, not proven" in done.stderr
        assert f"{said}\n  next: push to it, and look at `directcd deliveries list`" in done.stderr
        assert (scene.hook.secret, scene.hook.active) == (scene.secret, True)


async def test_a_repository_is_named_in_any_spelling(tmp_path: Path) -> None:
    """With its host, or by its path with the source."""
    async with running(tmp_path, "gitea") as scene:
        for words in (
            ["git@git.test:acme/shop.git"],
            ["ssh://git@git.test:2222/acme/shop"],
            ["git.test/acme/shop"],
            [NAME],
            ["acme/shop", "--source", "main"],
        ):
            [told] = await scene.told("create", *words)
            assert told["proven"], told
        assert len(scene.forge.hooks) == 1


async def test_a_dry_run_leaves_no_trace(tmp_path: Path) -> None:
    """Neither a secret nor a webhook; what would be done is said."""
    async with running(tmp_path, "gitea") as scene:
        before = scene.files()
        done = await scene.run("create", "--dry-run")
        assert done.returncode == 0, done.stderr
        assert f"{SECRET_FILE} would be made" in done.stderr
        assert f"{NAME}: webhook would be created" in done.stderr
        assert (scene.files(), scene.forge.hooks) == (before, [])
        assert {method for method, _ in scene.forge.requests} == {"GET"}


async def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Neither the forge's token nor the webhook's secret, whatever goes wrong."""
    async with running(tmp_path, "github") as scene:
        await scene.run("create")
        await scene.run("create", "--json")
        await scene.run("test")
        await scene.run("list")
        scene.forge.is_allowed = False
        await scene.run("create", DIRECTCD_FORGE_TOKEN=scene.forge.token)
        scene.forge.token = "another"
        await scene.run("create", "-c", "directcd.toml", DIRECTCD_FORGE_TOKEN="env-token-88aa")
        said = "\n".join(scene.said)
    assert "401" in said
    for secret in (scene.secret, "forge-token-0c9f41", "env-token-88aa"):
        assert secret not in said


async def test_a_given_secret_is_used_as_it_is(tmp_path: Path) -> None:
    """One that stands in the configuration itself; no file is made."""
    async with running(tmp_path, "gitea", secrets='secrets = ["inline-secret-77"]') as scene:
        [told] = await scene.told("create")
        assert told["proven"], told
        assert scene.hook.secret == "inline-secret-77"
        assert not scene.secret_file.exists()


async def test_a_source_that_takes_all_gets_a_hook_without_a_secret(tmp_path: Path) -> None:
    """With a warning."""
    async with running(tmp_path, "gitea", secrets="insecure = true") as scene:
        done = await scene.run("create")
        assert done.returncode == 0, done.stderr
        assert "source main takes unsigned deliveries" in done.stderr
        assert scene.hook.secret == ""
