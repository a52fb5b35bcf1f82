"""What stands beside commits at the forges, written by a real hub over HTTP."""

import asyncio
import logging
from pathlib import Path

import pytest
from pydantic import SecretStr

from hub.settings import HubSettings, SourceSettings
from tests.support.deliveries import SECRET
from tests.support.forge_apis import FakeGitHub
from tests.support.forge_apis.subjects import fake_of
from tests.support.hubs import hub_client
from tests.support.statuses import (
    NAME,
    PUBLIC_URL,
    A,
    B,
    C,
    Shop,
    hub_of_shop,
    refusals,
    shop_of,
    trouble,
    writing,
)


async def test_a_push_is_told_from_its_receipt_until_all_clients_run_it(shop: Shop) -> None:
    """With a link to its line at the hub."""
    await shop.push(A)
    await shop.until_said((A, "pending", "fetching"))
    await shop.built(A)
    await shop.until_said((A, "success", "built v-1"))
    await shop.ran(A, "c1")
    await shop.ran(A, "c2")
    await shop.until_said((A, "success", "running on 2/2 clients"))
    await shop.push(B)
    await shop.built(B, "v-2")
    await shop.until_said((B, "pending", "built v-2; running on 0/2 clients"))
    await shop.ran(B, "c1", "v-2")
    await shop.until_said((B, "pending", "built v-2; running on 1/2 clients"))
    await shop.ran(B, "c2", "v-2")
    await shop.until_said((B, "success", "running on 2/2 clients"))
    name, _, document = shop.fake.statuses[-1]
    assert name == "acme/shop"
    assert document["context"] == "directcd/shop"
    assert document["target_url"] == f"{PUBLIC_URL}/targets/shop#trace-{shop.traces[B]}"


@pytest.mark.parametrize(
    ("provider", "states"),
    [
        ("gitea", ["pending", "pending", "success"]),
        ("forgejo", ["pending", "pending", "success"]),
        # It takes each of its states once: `running` with another text is the same to it.
        ("gitlab", ["running", "success"]),
    ],
)
async def test_every_forge_is_told_in_its_own_words(
    tmp_path: Path, provider: str, states: list[str]
) -> None:
    """Under a name that is written otherwise in payloads than in keys."""
    with fake_of(provider) as fake:
        async with shop_of(writing(tmp_path, fake, provider), fake) as shop:
            await shop.push(A)
            await shop.until(lambda: len(shop.said) == 1)
            await shop.report(A, "fetched", commits=[["shop", A]])
            await shop.until(lambda: len(fake.requests) == 2)
            await shop.built(A)
            await shop.until(lambda: fake.written("acme/shop", "directcd/shop") == states)


async def test_gogs_has_none_and_nobody_is_bothered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is asked of it, and nothing said about it."""
    with fake_of("gogs") as fake:
        async with shop_of(writing(tmp_path, fake, "gogs"), fake) as shop:
            await shop.push(A)
            await shop.built(A)
            assert not await trouble(shop)
    assert fake.requests == []
    assert refusals(caplog) == []


async def test_a_failure_is_told_by_its_last_line_without_secrets(
    tmp_path: Path, fake: FakeGitHub, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither those that the hub knows nor what looks like one, at the forge and in the log."""
    caplog.set_level(logging.DEBUG)
    secrets = [SECRET.decode(), fake.token, "canary-0b5e", f"ghp_{'x' * 36}", "canary-77aa"]
    known, token, password, alike, query = secrets
    line = (
        f"{known} and {token} at https://ada:{password}@git.test/a?key={query} with {alike} "
        f"{'and so on ' * 30}"
    )
    settings = writing(tmp_path, fake, "github")
    async with shop_of(settings, fake) as shop:
        await shop.push(A)
        await shop.failed(A, f"build ended with 1\n  {line}\nmake: *** [Makefile:2: all] Error 1\n")
        await shop.until(lambda: "failure" in fake.written("acme/shop"))
        seen = (await shop.hub.get("/v1/sources")).text + (await shop.hub.get("/metrics")).text
    _, _, text = shop.said[-1]
    assert text.startswith("building failed: (redacted) and (redacted) at https://(redacted)@git")
    assert len(text) == 140
    seen += str(fake.statuses) + caplog.text
    assert [one for one in secrets if one in seen] == []


async def test_a_source_whose_api_nobody_speaks_is_said_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With what to do; deliveries are taken all the same."""
    secrets = (SecretStr(SECRET.decode()),)
    source = SourceSettings(provider="bitbucket", secrets=secrets, api_token=SecretStr("a-token"))
    async with hub_client(HubSettings(data=tmp_path, sources={"main": source})) as hub:
        [view] = (await hub.get("/v1/sources")).json()["sources"]
    assert view["statuses"] is None
    said = [one for one in caplog.records if one.getMessage() == "no commit statuses"]
    assert ["bitbucket" in str(one.__dict__["reason"]) for one in said] == [True]


async def test_what_only_a_poll_has_found_is_told_where_the_name_leads_to_one(shop: Shop) -> None:
    """Of what somebody has subscribed to; else nobody is told anything."""
    await shop.report(B, "fetched", commits=[["shop", B]], caught=True)
    await shop.report(B, "built", version="v-2")
    for name, path in (("s1", "acme/shop"), ("s2", "acme/till"), ("s3", "other/till")):
        wanted = {"name": name, "repositories": [{"url": f"{shop.fake.web_url}/{path}.git"}]}
        assert (await shop.hub.post("/v1/subscriptions", json=wanted)).status_code == 201
    await shop.report(C, "fetched", commits=[["till", C]], caught=True, target="till")
    await shop.report(B, "published", version="v-2")
    await shop.until_said((B, "success", "built v-2"))
    assert len(shop.fake.requests) == 1


async def test_a_source_without_a_token_sends_nothing(tmp_path: Path, fake: FakeGitHub) -> None:
    """And nothing runs for it."""
    settings = writing(tmp_path, fake, "github", api_token=SecretStr(""))
    fake.repository(NAME)
    async with hub_of_shop(settings, fake) as shop:
        await shop.announced(A)
        await shop.built(A)
        [source] = (await shop.hub.get("/v1/sources")).json()["sources"]
        assert source["statuses"] is None
        running = {task.get_name() for task in asyncio.all_tasks()}
        assert not any("commit statuses" in name for name in running)
    assert fake.requests == []


async def test_a_target_is_an_environment_where_that_is_wanted(
    tmp_path: Path, fake: FakeGitHub
) -> None:
    """Its deployment begins when there is something to deploy, and is one also after a restart."""
    settings = writing(tmp_path, fake, "github", deployments=True)
    async with shop_of(settings, fake) as shop:
        await shop.push(A)
        await shop.until_said((A, "pending", "fetching"))
        assert fake.deployments == {}
        await shop.ran("0" * 40, "c1", "v-0")
        await shop.built(A)
        await shop.until(lambda: states(fake) == ["in_progress"])
    async with hub_of_shop(settings, fake) as again:
        again.traces = shop.traces
        await again.ran(A, "c1")
        await again.until(lambda: states(fake) == ["in_progress", "success"])
        [[repository, document]] = fake.deployments.values()
        assert (repository, document["environment"], document["ref"]) == ("acme/shop", "shop", A)
        await shop_goes_on(again)
        await again.until(lambda: states(fake)[2:] == ["in_progress", "inactive", "in_progress"])
        await again.ran(C, "c1", "v-3")
        await again.until(lambda: states(fake)[5:] == ["success"])
        await again.announced(A)
        await again.report(A, "fetched", commits=[["shop", A]])
        await again.report(A, "built", "unchanged", version="v-1")
        await again.report(A, "published", version="v-1")
        await again.until(lambda: len(fake.deployments) == 4)


async def shop_goes_on(shop: Shop) -> None:
    """Two more versions, of which the first comes to run nowhere."""
    for commit, version in ((B, "v-2"), (C, "v-3")):
        await shop.announced(commit)
        await shop.built(commit, version)
        await shop.until_said((commit, "pending", f"built {version}; running on 0/1 client"))


def states(fake: FakeGitHub) -> list[str]:
    """Of all deployments, in order."""
    return [state for _, state in fake.deployment_states]
