"""`directcd hook rotate`: a new secret everywhere, or the old one everywhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.forge_apis.server import Answer
from tests.support.hooking import SECRET_FILE, Scene, running, scene

OLD = "webhook-secret-5b1d"
QUICKLY = ("--wait", "1", "--settle", "0.2")
PREVIOUS = f"{SECRET_FILE}.previous"


@asynccontextmanager
async def rotating(place: Path, provider: str) -> AsyncIterator[Scene]:
    """A running hub, and one webhook that works."""
    async with running(place, provider) as here:
        here.write(SECRET_FILE, OLD)
        here.add_hook()
        yield here


def is_as_before(here: Scene) -> bool:
    """Whether all stands as in the beginning."""
    return here.secret == OLD == here.hook.secret and not (here.place / PREVIOUS).exists()


@pytest.mark.parametrize("provider", ["github", "gitea", "forgejo", "gitlab"])
async def test_the_hook_signs_with_a_new_secret(tmp_path: Path, provider: str) -> None:
    """Proven; the old one is gone, from the forge and from the disk."""
    async with rotating(tmp_path, provider) as here:
        done = await here.run("rotate", *QUICKLY)
        assert done.returncode == 0, done.stderr
        assert "signs with the new secret, proven: delivery" in done.stderr
        assert "source main: rotated: every webhook signs with the new secret" in done.stderr
        assert here.hook.secret == here.secret != OLD
        assert here.secret_file.stat().st_mode & 0o777 == 0o600
        assert not (tmp_path / PREVIOUS).exists()
        assert here.secret not in "".join(here.said)
        assert OLD not in "".join(here.said)


async def test_a_key_that_signs_is_followed_by_another(tmp_path: Path) -> None:
    """Its beginning says how deliveries are signed."""
    async with scene(tmp_path, "gitlab") as here:
        here.write(SECRET_FILE, "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
        here.add_hook()
        async with here.hub():
            await here.run("rotate", *QUICKLY)
        assert here.secret.startswith("whsec_")


@pytest.mark.parametrize("provider", ["github", "gitea", "gitlab"])
async def test_a_forge_that_says_no_leaves_all_as_it_was(tmp_path: Path, provider: str) -> None:
    """At the second of two repositories."""
    async with rotating(tmp_path, provider) as here:
        here.forge.repository("acme/lib")
        lib = here.add_hook(owner="acme/lib")
        here.edit("repositories = [", 'repositories = [{ url = "http://git.test/acme/lib" }, ')
        refuse_writing(here, after=2)
        done = await here.run("rotate", *QUICKLY)
        assert done.returncode == 4, done.stderr
        assert "all is as it was, with the old secret" in done.stderr
        assert [one.secret for one in here.forge.hooks] == [OLD, OLD]
        assert lib in here.forge.hooks
        assert here.secret == OLD
        assert not (tmp_path / PREVIOUS).exists()


def refuse_writing(here: Scene, after: int) -> None:
    """Let the forge refuse the next change behind some that it takes, and then no more."""
    answer, left = here.forge.answer, [after]

    def answering(method: str, target: str, headers: object, body: bytes) -> Answer:
        if method != "GET":
            left[0] -= 1
            if left[0] == -1:
                return Answer(403, {"message": "no"})
        return answer(method, target, headers, body)  # type: ignore[arg-type]

    here.forge.answer = answering  # type: ignore[method-assign]


@pytest.mark.parametrize("provider", ["github", "gitea"])
async def test_a_hook_that_does_not_arrive_leaves_all_as_it_was(
    tmp_path: Path, provider: str
) -> None:
    """The forge does not reach the hub any more."""
    async with rotating(tmp_path, provider) as here:
        here.edit(f'url = "{here.public_url}"', 'url = "http://127.0.0.1:1"')
        here.hook.url = f"http://127.0.0.1:1/webhooks/{provider}/main"
        done = await here.run("rotate", *QUICKLY)
        assert done.returncode == 1
        assert "tried, not proven" in done.stderr
        assert is_as_before(here)


async def test_a_hub_that_does_not_run_begins_nothing(tmp_path: Path) -> None:
    """It could not say whether anything is lost."""
    async with scene(tmp_path, "gitea") as here:
        here.write(SECRET_FILE, OLD)
        here.add_hook()
        done = await here.run("rotate", *QUICKLY)
        assert done.returncode == 7
        assert is_as_before(here)


async def test_a_hub_that_reads_another_file_begins_nothing(tmp_path: Path) -> None:
    """Its webhooks would be refused."""
    async with rotating(tmp_path, "gitea") as here:
        here.edit(SECRET_FILE, "secrets/copy")
        here.write("secrets/copy", OLD)
        done = await here.run("rotate", *QUICKLY)
        assert done.returncode == 1
        assert f"the hub's current secret is in {SECRET_FILE}, not in secrets/copy" in done.stderr
        assert is_as_before(here)


async def test_a_token_that_is_not_valid_begins_nothing(tmp_path: Path) -> None:
    """With the scope that is needed."""
    async with rotating(tmp_path, "gitea") as here:
        here.forge.token = "another"
        done = await here.run("rotate", *QUICKLY)
        assert (done.returncode, is_as_before(here)) == (4, True)
        assert "write:repository" in done.stderr


async def test_a_dry_run_of_a_rotation_leaves_no_trace(tmp_path: Path) -> None:
    """What would be done is said."""
    async with rotating(tmp_path, "gitea") as here:
        before = here.files()
        done = await here.run("rotate", "--dry-run")
        assert done.returncode == 0, done.stderr
        assert "would be given a new secret" in done.stderr
        assert here.files() == before
        assert {method for method, _ in here.forge.requests} == {"GET"}


async def test_a_hook_that_cannot_be_tested_is_waited_for(tmp_path: Path) -> None:
    """Old and new stand beside each other until a push came, and the next call ends it."""
    async with rotating(tmp_path, "gogs") as here:
        done = await here.run("rotate", *QUICKLY)
        assert done.returncode == 1
        assert f"rotated, and {PREVIOUS} stays" in done.stderr
        assert [one.secret for one in here.forge.hooks] == [OLD, here.secret]
        secret = here.secret
        assert (await here.run("rotate", *QUICKLY)).returncode == 1
        assert (here.secret, len(here.forge.hooks)) == (secret, 2)
        assert await here.push() == [202, 200]
        done = await here.run("rotate", *QUICKLY)
        assert done.returncode == 0, done.stderr
        assert (here.hook.secret, here.secret) == (secret, secret)
        assert not (tmp_path / PREVIOUS).exists()


async def test_the_old_secret_stays_while_another_repository_may_sign_with_it(
    tmp_path: Path,
) -> None:
    """One that the file does not have, and that has delivered; when it is turned over, it ends."""
    async with rotating(tmp_path, "gitea") as here:
        here.forge.repository("acme/other").refs["refs/heads/main"] = "d" * 40
        here.add_hook(owner="acme/other")
        assert await here.push("acme/other", 1) == [202]
        done = await here.run("rotate", *QUICKLY)
        assert done.returncode == 1
        assert "this source also had deliveries of git.test/acme/other" in done.stderr
        assert await here.push("acme/other", 2) == [202]
        secret = here.secret
        done = await here.run("rotate", "git.test/acme/other", *QUICKLY)
        assert "other webhooks of this source may sign with the old secret" in done.stderr
        done = await here.run("rotate", *QUICKLY)
        assert done.returncode == 0, done.stderr
        assert {one.secret for one in here.forge.hooks} == {secret} == {here.secret}
        assert not (tmp_path / PREVIOUS).exists()


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ('secrets = ["inline"]', "stands in the configuration itself"),
        ("insecure = true", "there is no secret to rotate"),
        (f'secrets_files = ["{SECRET_FILE}"]', f"secret file {SECRET_FILE}"),
    ],
    ids=["inline", "insecure", "missing"],
)
async def test_what_cannot_be_rotated_is_told(tmp_path: Path, secrets: str, said: str) -> None:
    """Before anything is asked."""
    async with scene(tmp_path, "gitea", secrets=secrets) as here:
        done = await here.run("rotate")
        assert done.returncode == 2
        assert said in done.stderr
        assert here.forge.requests == []
