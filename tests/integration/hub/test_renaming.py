"""A repository that was renamed or transferred keeps its subscribers, from the outside."""

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.settings import HubSettings
from tests.support.deliveries import SECRET, A, Post
from tests.support.hubs import hub_client, hub_of, post, settings, told
from tests.support.redis_servers import single
from tests.support.samples import Sample, sample
from tests.support.waiting import eventually


@dataclass(frozen=True)
class Forge:
    """A provider, one of its recorded pushes, and the repository in it."""

    provider: str
    push: Sample
    signature: str
    full_name: str
    base: str

    @property
    def after(self) -> bytes:
        """The commit that it pushes."""
        commit: str = self.push.row["changes"][0]["after"]
        return commit.encode()

    @property
    def path(self) -> str:
        """Where it delivers to."""
        return f"/webhooks/{self.provider}/main"

    def url(self, full_name: str) -> str:
        """A repository's clone URL."""
        return f"{self.base}/{full_name}.git"

    def pushed(self, full_name: str, identifier: int | None = None, commit: str = "") -> Post:
        """The push of the same repository or another one, under a name; of that commit."""
        body = self.push.body.replace(self.full_name.encode(), full_name.encode())
        if commit:
            body = body.replace(self.after, commit.encode())
        if identifier is not None:
            known = self.push.row["repo"]["id"]
            body = body.replace(f'"id":{known}'.encode(), f'"id":{identifier}'.encode())
            body = body.replace(f'"id": {known}'.encode(), f'"id": {identifier}'.encode())
        return self.signed(self.push, body)

    def signed(self, original: Sample, body: bytes) -> Post:
        """Another body with a delivery's headers."""
        digest = hmac.digest(SECRET, body, "sha256").hex()
        names = {name.lower(): value for name, value in original.headers.items()}
        prefix = "sha256=" if self.provider == "github" else ""
        return Post(body, names | {self.signature: prefix + digest})


GITHUB = Forge(
    "github",
    sample("handmade/github/push-branch"),
    "x-hub-signature-256",
    "Acme/App",
    "https://github.com",
)
GITEA = Forge(
    "gitea",
    sample("captured-gitea-1.15.11/gitea/push-main-one.repo-json.push"),
    "x-gitea-signature",
    "Acme-Org/Hello.World",
    "http://127.0.0.1:38300",
)
each_forge = pytest.mark.parametrize("forge", [GITHUB, GITEA], ids=lambda forge: forge.provider)


@asynccontextmanager
async def running(
    data: Path, forge: Forge, *names: str, **changes: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A hub of a forge, with a subscriber of each of these repositories, named like them."""
    async with hub_client(hub_of(data, forge.provider, **changes)) as hub:
        for name in names:
            await subscribe(hub, forge, name)
        yield hub


async def subscribe(hub: httpx.AsyncClient, forge: Forge, name: str) -> str:
    """Subscribe somebody named like the repository; where he starts."""
    body = {"name": name, "repositories": [{"url": forge.url(name)}]}
    cursor: str = (await hub.post("/v1/subscriptions", json=body)).json()["cursor"]
    return cursor


async def answer(hub: httpx.AsyncClient, forge: Forge, delivery: Post) -> dict[str, Any]:
    """What the forge is told."""
    found: dict[str, Any] = (await post(hub, delivery, forge.path)).json()
    return found


@each_forge
async def test_who_knows_the_old_name_is_told_of_the_next_push(
    tmp_path: Path, forge: Forge
) -> None:
    """Under all keys, about the repository by its new name; the answer says what to change."""
    async with running(tmp_path, forge) as hub:
        cursor = await subscribe(hub, forge, "acme/old")
        await answer(hub, forge, forge.pushed("acme/old"))
        moved = await answer(hub, forge, forge.pushed("acme/new"))
        assert (moved["verdict"], moved["matched"]) == ("matched", ["acme/old"])
        assert moved["reason"] == "1 subscription wants this push; acme/old is now acme/new"
        expected = f"change the URL in the [[target]] of acme/old to {forge.url('acme/new')}"
        assert moved["next"] == expected
        assert moved["event"]["repository"].endswith("/acme/new")
        first, second = await told(hub, forge.url("acme/old"), cursor)
        assert first["repository"]["full_name"] == "acme/old"
        assert second["repository"]["full_name"] == "acme/new"
        assert {key.rpartition("/")[2] for key in second["repository"]["keys"]} == {"old", "new"}


@each_forge
async def test_who_knows_the_new_name_is_told_nothing_of_the_old_one(
    tmp_path: Path, forge: Forge
) -> None:
    """There is nothing to change."""
    async with running(tmp_path, forge, "acme/new") as hub:
        await answer(hub, forge, forge.pushed("acme/old"))
        moved = await answer(hub, forge, forge.pushed("acme/new"))
        assert (moved["reason"], moved["next"]) == (
            "1 subscription wants this push",
            "nothing to do",
        )


@each_forge
async def test_a_hub_that_starts_again_still_knows(tmp_path: Path, forge: Forge) -> None:
    """The first push after it may be the first one under the new name."""
    async with running(tmp_path, forge, "acme/old") as hub:
        await answer(hub, forge, forge.pushed("acme/old"))
    async with running(tmp_path, forge) as hub:
        assert (await answer(hub, forge, forge.pushed("acme/new")))["matched"] == ["acme/old"]


@each_forge
async def test_an_old_name_that_was_given_to_another_repository_is_its_own(
    tmp_path: Path, forge: Forge
) -> None:
    """Whoever wants it hears of that one, and no longer of the first."""
    async with running(tmp_path, forge, "acme/old") as hub:
        for full_name in ("acme/old", "acme/new"):
            await answer(hub, forge, forge.pushed(full_name))
        another = await answer(hub, forge, forge.pushed("acme/old", 4711, A))
        assert another["reason"] == "1 subscription wants this push"
        first = await answer(hub, forge, forge.pushed("acme/new", None, A))
        assert (first["verdict"], first["matched"]) == ("no-match", [])


@each_forge
async def test_a_source_speaks_for_no_old_name_that_it_may_not(
    tmp_path: Path, forge: Forge
) -> None:
    """`repositories` is asked for each."""
    async with running(tmp_path, forge, "acme/old", repositories=("*/acme/new",)) as hub:
        refused = await answer(hub, forge, forge.pushed("acme/old"))
        assert refused["code"] == "repository-not-allowed"
        assert (await answer(hub, forge, forge.pushed("acme/new")))["matched"] == []
    async with running(tmp_path / "wide", forge, "acme/old") as hub:
        await answer(hub, forge, forge.pushed("acme/old"))
    async with running(tmp_path / "wide", forge, repositories=("*/acme/new",)) as hub:
        assert (await answer(hub, forge, forge.pushed("acme/new")))["matched"] == []


@pytest.mark.parametrize(
    ("name", "old"),
    [("repository-renamed", "Acme/Old"), ("repository-transferred", "Former-Org/App")],
)
async def test_github_says_so_before_any_push(tmp_path: Path, name: str, old: str) -> None:
    """Its event has the old name or owner; it is told to nobody."""
    event = sample(f"handmade/github/{name}")
    async with running(tmp_path, GITHUB, old) as hub:
        moved = await answer(hub, GITHUB, GITHUB.signed(event, event.body))
        assert (moved["verdict"], moved["matched"]) == ("ignored", [])
        assert "renamed or transferred" in moved["reason"]
        pushed = await answer(hub, GITHUB, GITHUB.pushed("Acme/App"))
        assert pushed["matched"] == [old]
        assert pushed["reason"].endswith(f"; {old} is now Acme/App")


async def test_a_delivery_that_is_told_again_is_told_by_all_names(tmp_path: Path) -> None:
    """One that was received under the old name reaches whoever has changed the URL."""
    async with running(tmp_path, GITHUB, "acme/old") as hub:
        await answer(hub, GITHUB, GITHUB.pushed("acme/old"))
        inspect = (await answer(hub, GITHUB, GITHUB.pushed("acme/new")))["inspect"]
        again = (await hub.post(f"{inspect}/redeliver")).json()
        assert again["matched"] == ["acme/old"]
        assert again["reason"].endswith("; acme/old is now acme/new")
        why = (await hub.get(f"{inspect}/explanation")).json()
        assert why["reason"].endswith("; acme/old is now acme/new")
        await subscribe(hub, GITHUB, "acme/new")
        both = (await hub.post(f"{inspect}/redeliver")).json()
        assert both["matched"] == ["acme/new", "acme/old"]
        assert both["next"].startswith("change the URL in the [[target]] of acme/old to ")


async def test_what_one_hub_learns_the_other_knows(tmp_path: Path) -> None:
    """Two on one Redis: the event comes to one, the push to the other."""
    event = sample("handmade/github/repository-renamed")
    with single(tmp_path / "redis") as server:
        async with (
            hub_client(on_redis(tmp_path / "one", server.url)) as one,
            hub_client(on_redis(tmp_path / "two", server.url)) as two,
        ):
            await subscribe(two, GITHUB, "Acme/Old")
            await answer(one, GITHUB, GITHUB.signed(event, event.body))
            await eventually(lambda: server.do("HEXISTS", "directcd:{log}:notes", NOTE))
            assert (await answer(two, GITHUB, GITHUB.pushed("Acme/App")))["matched"] == ["Acme/Old"]


NOTE = f"repository:main:{GITHUB.push.row['repo']['id']}"


def on_redis(data: Path, url: str) -> HubSettings:
    """A hub of GitHub on that Redis."""
    return settings(data, redis=url)


async def test_a_rename_is_understood_while_redis_is_away(tmp_path: Path) -> None:
    """Deliveries are kept on the hub's own disk; the name is noted when Redis is back."""
    with single(tmp_path / "redis", "--appendonly", "yes") as server:
        async with hub_client(on_redis(tmp_path / "one", server.url)) as hub:
            await subscribe(hub, GITHUB, "acme/old")
            await answer(hub, GITHUB, GITHUB.pushed("acme/old"))
            server.stop()
            moved = await answer(hub, GITHUB, GITHUB.pushed("acme/new"))
            assert moved["matched"] == ["acme/old"]
            assert "acme/old is now acme/new" in moved["reason"]
            server.start()
            await eventually(
                lambda: b"acme/new" in (server.do("HGET", "directcd:{log}:notes", NOTE) or b"")
            )
