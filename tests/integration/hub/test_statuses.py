"""What stands beside commits at the forges, written by a real hub over HTTP."""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from hub.statuses import sending, worker
from tests.support.deliveries import SECRET
from tests.support.forge_apis import FakeGitHub
from tests.support.forge_apis.server import Answer
from tests.support.forge_apis.subjects import fake_of
from tests.support.redis_servers import single
from tests.support.statuses import NAME, PUBLIC_URL, A, B, C, Shop, hub_of_shop, shop_of, writing
from tests.support.waiting import DEADLINE_SECONDS, PAUSE_SECONDS


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are short; what they double to is tried by itself."""
    monkeypatch.setattr(sending, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(worker, "LOOK_SECONDS", 0.1)


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    """A GitHub."""
    running = FakeGitHub()
    yield running
    running.close()


@pytest.fixture
async def shop(tmp_path: Path, fake: FakeGitHub) -> AsyncIterator[Shop]:
    """A hub that writes there."""
    async with shop_of(writing(tmp_path, fake, "github"), fake) as made:
        yield made


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


async def test_gogs_has_none_and_that_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log, and at the source with what to do."""
    with fake_of("gogs") as fake:
        async with shop_of(writing(tmp_path, fake, "gogs"), fake) as shop:
            await shop.push(A)
            await shop.until(lambda: refusals(caplog))
            await shop.built(A)
            await until_counted(shop, "refused", 2)
            assert "commit_statuses = false" in (await trouble(shop))["next"]
            assert fake.requests == []
    assert refusals(caplog) == ["Gogs has no commit statuses"]


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


async def test_a_forge_that_is_away_is_told_the_newest_state_when_it_is_back(shop: Shop) -> None:
    """What was in between is left out."""
    shop.fake.fail_next = [Answer(502)] * 4
    await shop.push(A)
    await shop.built(A)
    await shop.ran(A, "c1")
    await shop.until_said((A, "success", "running on 1/1 client"))
    assert len(shop.said) == 1
    await until_counted(shop, "away", 4)
    await until_counted(shop, "sent", 1)
    assert await trouble(shop) == NO_TROUBLE


async def test_a_forge_that_wants_to_be_asked_nothing_is_left_in_peace(shop: Shop) -> None:
    """Until the moment it names; people see why nothing appears."""
    shop.fake.fail_next = [Answer(429, {"message": "slow down"}, {"retry-after": "2"})]
    await shop.push(A)
    await until_counted(shop, "limited", 1)
    asked_at = time.monotonic()
    assert "slow down" in (await trouble(shop))["problem"]
    await shop.built(A)
    await shop.until_said((A, "success", "built v-1"))
    assert time.monotonic() - asked_at > 1
    assert len(shop.fake.requests) == 2


async def test_a_token_that_is_not_taken_is_told_once_and_a_new_one_used(
    tmp_path: Path, fake: FakeGitHub, caplog: pytest.LogCaptureFixture
) -> None:
    """With what to do; nothing needs a restart."""
    file = tmp_path / "token"
    file.write_text("forge-token-that-was-revoked")
    settings = writing(tmp_path, fake, "github", api_token=SecretStr(""), api_token_file=file)
    fake.repository(NAME)
    async with hub_of_shop(settings, fake) as shop:
        await shop.announced(A)
        await until_counted(shop, "refused", 1)
        await shop.built(A)
        await until_counted(shop, "refused", 2)
        assert "api_token_file" in (await trouble(shop))["next"]
        file.write_text(fake.token)
        await shop.ran(A, "c1")
        await shop.until_said((A, "success", "running on 1/1 client"))
        await until_counted(shop, "sent", 1)
        assert await trouble(shop) == NO_TROUBLE
    [refusal] = refusals(caplog)
    assert "401" in refusal
    assert "that-was-revoked" not in caplog.text


async def test_what_a_forge_refuses_is_not_asked_again_but_the_next_state_is(shop: Shop) -> None:
    """It may not know the commit yet."""
    shop.fake.fail_next = [Answer(422, {"message": "No commit found for SHA"})]
    await shop.push(A)
    await until_counted(shop, "refused", 1)
    assert "No commit found" in (await trouble(shop))["problem"]
    await shop.report(A, "notified")
    await shop.built(A)
    await shop.until_said((A, "success", "built v-1"))
    assert len(shop.fake.requests) == 2


async def test_a_hub_that_starts_again_says_nothing_twice(tmp_path: Path, fake: FakeGitHub) -> None:
    """And goes on with what comes."""
    settings = writing(tmp_path, fake, "github")
    async with shop_of(settings, fake) as shop:
        await shop.push(A)
        await shop.built(A)
        await shop.until_said((A, "success", "built v-1"))
    said = len(shop.said)
    async with hub_of_shop(settings, fake) as again:
        again.traces = shop.traces
        await again.ran(A, "c1")
        await again.until_said((A, "success", "running on 1/1 client"))
    assert len(again.said) == said + 1


async def test_what_was_not_sent_is_sent_when_the_hub_starts_again(
    tmp_path: Path, fake: FakeGitHub
) -> None:
    """The forge was away all the time; and the hub did not wait for it."""
    settings = writing(tmp_path, fake, "github")
    async with shop_of(settings, fake) as shop:
        fake.fail_next = [Answer(503)] * 1000
        await shop.push(A)
        await shop.built(A)
        await until_counted(shop, "away", 1)
        stopped_at = time.monotonic()
    assert time.monotonic() - stopped_at < 5
    fake.fail_next = []
    async with hub_of_shop(settings, fake) as again:
        await again.until_said((A, "success", "built v-1"))


async def test_a_forge_that_never_answers_holds_nothing_up(
    tmp_path: Path, fake: FakeGitHub
) -> None:
    """Neither reports nor the hub's end."""
    fake.repository(NAME)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)  # noqa: FBT003 - its own signature
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with hub_of_shop(writing(tmp_path, fake, "github", api_url=url), fake) as shop:
            await shop.announced(A)
            asked, _ = await asyncio.get_running_loop().sock_accept(silent)
            began_at = time.monotonic()
            await shop.built(A)
        asked.close()
        assert time.monotonic() - began_at < 8  # the forge would have 15 s
    assert not any("commit statuses" in task.get_name() for task in asyncio.all_tasks())


async def test_of_two_hubs_one_writes(tmp_path: Path, fake: FakeGitHub) -> None:
    """Whichever is reported to, and the other goes on when it has gone."""
    with single(tmp_path / "redis") as server:
        one = writing(tmp_path / "one", fake, "github", redis=SecretStr(server.url))
        two = writing(tmp_path / "two", fake, "github", redis=SecretStr(server.url))
        async with hub_of_shop(two, fake) as other:
            async with shop_of(one, fake) as shop:
                await shop.push(A)
                await shop.until_said((A, "pending", "fetching"))
                other.traces = shop.traces
                await other.built(A)
                await shop.until_said((A, "success", "built v-1"))
                await shop.ran(A, "c1")
                await shop.until_said((A, "success", "running on 1/1 client"))
            assert len(set(shop.said)) == len(shop.said)
            await other.ran(A, "c2", result="rolled_back", message="sick")
            await other.until_said((A, "failure", "rolled back: sick"))
        assert len(set(other.said)) == len(other.said)


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


NO_TROUBLE = {"problem": "", "next": "", "at": ""}


def states(fake: FakeGitHub) -> list[str]:
    """Of all deployments, in order."""
    return [state for _, state in fake.deployment_states]


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Why statuses were refused, as far as the log says."""
    said = [one for one in caplog.records if one.getMessage() == "commit status refused"]
    return [str(one.__dict__["reason"]) for one in said]


async def trouble(shop: Shop) -> dict[str, str]:
    """What the source shows of its forge."""
    [source] = (await shop.hub.get("/v1/sources")).json()["sources"]
    found: dict[str, str] = source["statuses"]
    return found


async def until_counted(shop: Shop, result: str, number: int) -> None:
    """Wait until so many attempts have ended so."""
    line = f'directcd_hub_commit_statuses_total{{result="{result}",source="main"}} {number}.0'
    async with asyncio.timeout(DEADLINE_SECONDS):
        while line not in (await shop.hub.get("/metrics")).text:
            await asyncio.sleep(PAUSE_SECONDS)
