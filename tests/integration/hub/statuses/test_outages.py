"""What does not work at once: forges, tokens, the log, and hubs that come and go."""

import asyncio
import socket
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from hub.statuses import sending
from tests.support.forge_apis import FakeGitHub
from tests.support.forge_apis.server import Answer
from tests.support.redis_servers import single
from tests.support.statuses import (
    NAME,
    NO_TROUBLE,
    A,
    B,
    Shop,
    hub_of_shop,
    refusals,
    shop_of,
    trouble,
    until_counted,
    writing,
)
from tests.support.waiting import DEADLINE_SECONDS, PAUSE_SECONDS


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


async def test_what_a_token_was_refused_for_is_said_when_it_may(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to report anything new."""
    monkeypatch.setattr(sending, "TOKEN_SECONDS", 0.2)
    shop.fake.fail_next = [Answer(403, {"message": "no such scope"})] * 6
    await shop.push(A)
    await until_counted(shop, "refused", 1)
    await shop.push(B)
    await until_counted(shop, "refused", 6)
    await until_counted(shop, "sent", 2)
    assert {commit for _, commit, _ in shop.fake.statuses} == {A, B}
    assert await trouble(shop) == NO_TROUBLE


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


async def test_a_log_that_goes_and_comes_back_repeats_nothing(
    tmp_path: Path, fake: FakeGitHub, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis was started anew meanwhile; the hub's log says so once."""
    with single(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "always") as server:
        settings = writing(tmp_path / "hub", fake, "github", redis=SecretStr(server.url))
        async with shop_of(settings, fake) as shop:
            await shop.push(A)
            await shop.built(A)
            await shop.until_said((A, "success", "built v-1"))
            server.stop()
            await shop.until(lambda: "commit statuses wait for the log" in caplog.text)
            server.start()
            await ran_when_the_log_is_back(shop)
            await shop.until_said((A, "success", "running on 1/1 client"))
    assert len(set(shop.said)) == len(shop.said)


async def ran_when_the_log_is_back(shop: Shop) -> None:
    """A client reports until somebody takes it."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            try:
                await shop.ran(A, "c1")
            except AssertionError:
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return
