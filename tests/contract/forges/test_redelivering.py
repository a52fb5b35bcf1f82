"""GitHub's own list of what it has tried to deliver."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from hub.forges.github import GitHub
from hub.forges.opening import forge_of
from hub.forges.values import CommitStatus, Place
from tests.support.forge_apis import FakeGitHub
from tests.support.forge_apis.subjects import closing, fake_of, source_of
from tests.support.waiting import eventually

SHOP = Place("acme/shop")
NOWHERE = "http://127.0.0.1:9/webhooks/github/main"

pytestmark = pytest.mark.anyio


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """A GitHub with one repository."""
    with fake_of("github") as fake:
        assert isinstance(fake, FakeGitHub)
        fake.repository("acme/shop")
        yield fake


async def test_attempts_of_all_pages_since_a_moment_are_listed(github: FakeGitHub) -> None:
    async with closing(forge_of("main", source_of(github, "github"))) as forge:
        assert isinstance(forge, GitHub)
        hook = await forge.create_hook(SHOP, NOWHERE, "s")
        for number in range(250):
            github.push("acme/shop", "refs/heads/main", f"{number:040x}", f"{number + 1:040x}")
        everything = await forge.attempts(hook, datetime.now(UTC) - timedelta(hours=1))
        pushes = [one for one in everything if one.event == "push"]
        assert len(pushes) == 250
        assert [one.at for one in pushes] == sorted((one.at for one in pushes), reverse=True)
        assert not any(one.is_delivered for one in pushes)
        assert await forge.attempts(hook, datetime.now(UTC) + timedelta(hours=1)) == []


async def test_a_repeated_delivery_has_the_same_guid(github: FakeGitHub) -> None:
    async with closing(forge_of("main", source_of(github, "github"))) as forge:
        assert isinstance(forge, GitHub)
        hook = await forge.create_hook(SHOP, NOWHERE, "s")
        github.push("acme/shop", "refs/heads/main", "1" * 40, "2" * 40)
        await eventually(lambda: len(github.log) == 2)  # and the ping
        [missed] = [one for one in await forge.attempts(hook, _past()) if one.event == "push"]
        await forge.redeliver(hook, missed)
        await eventually(lambda: len(github.log) == 3)
        again = [one for one in await forge.attempts(hook, _past()) if one.event == "push"]
        assert [one.guid for one in again] == [missed.guid] * 2


async def test_a_deployment_is_of_one_commit_and_says_how_it_goes(github: FakeGitHub) -> None:
    async with closing(forge_of("main", source_of(github, "github"))) as forge:
        assert isinstance(forge, GitHub)
        number = await forge.create_deployment("acme/shop", "a" * 40, "shop")
        await forge.set_deployment("acme/shop", number, CommitStatus("x", "pending", "building"))
        await forge.set_deployment("acme/shop", number, CommitStatus("x", "success", "running"))
        await forge.end_deployment("acme/shop", number)
        states = ["in_progress", "success", "inactive"]
        assert github.deployment_states == [(number, state) for state in states]


def _past() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)
