"""What a forge's API may be asked, and how a "no" is understood."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from hub.forges.errors import ForgeAway, ForgeError, ForgeRefused, RateLimited, TokenUnusable
from hub.forges.opening import forge_of
from hub.forges.values import Place
from tests.support.forge_apis.forge import FakeForge
from tests.support.forge_apis.server import Answer
from tests.support.forge_apis.subjects import closing, fake_of, source_of

SHOP = Place("acme/shop")
URL = "https://hub.example.com/webhooks/github/main"

pytestmark = pytest.mark.anyio


@pytest.fixture
def github() -> Iterator[FakeForge]:
    """A GitHub with one repository."""
    with fake_of("github") as fake:
        fake.repository("acme/shop")
        yield fake


async def test_what_has_not_changed_is_not_sent_again(github: FakeForge) -> None:
    async with closing(forge_of("main", source_of(github, "github"))) as forge:
        await forge.create_hook(SHOP, URL, "s")
        first = await forge.hooks(SHOP)
        github.remaining = 1
        assert await forge.hooks(SHOP) == first
        assert github.remaining == 1, "a 304 is free"


async def test_nothing_is_asked_once_little_is_left(github: FakeForge) -> None:
    async with closing(forge_of("main", source_of(github, "github"))) as forge:
        github.remaining, github.limit, github.reset_at = 501, 5000, int(time.time()) + 60
        await forge.create_hook(SHOP, URL, "s")
        asked = len(github.requests)
        with pytest.raises(RateLimited) as limited:
            await forge.hooks(SHOP)
        assert limited.value.until.timestamp() == github.reset_at
        assert len(github.requests) == asked


@pytest.mark.parametrize(
    "answer",
    [
        Answer(429, {"message": "slow down"}, {"retry-after": "30"}),
        Answer(403, {"message": "secondary rate limit"}, {"retry-after": "30"}),
        Answer(403, {}, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "{in 30 s}"}),
        Answer(429, None),
    ],
)
async def test_a_limit_is_kept_to_without_asking_again(github: FakeForge, answer: Answer) -> None:
    soon = str(int(time.time()) + 30)
    headers = {name: value.replace("{in 30 s}", soon) for name, value in answer.headers.items()}
    github.fail_next.append(Answer(answer.status, answer.document, headers))
    async with closing(forge_of("main", source_of(github, "github"))) as forge:
        for _ in range(2):
            with pytest.raises(RateLimited) as limited:
                await forge.hooks(SHOP)
        assert 20 < limited.value.until.timestamp() - time.time() < 70
        assert len(github.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_failing_forge_may_be_asked_again(github: FakeForge, status: int) -> None:
    github.fail_next.append(Answer(status))
    async with closing(forge_of("main", source_of(github, "github"))) as forge:
        with pytest.raises(ForgeAway):
            await forge.hooks(SHOP)
        assert await forge.hooks(SHOP) == []


async def test_nobody_there_is_away_and_not_refused() -> None:
    with fake_of("github") as fake:
        settings = source_of(fake, "github")
    async with closing(forge_of("main", settings)) as forge:
        with pytest.raises(ForgeAway) as away:
            await forge.hooks(SHOP)
        assert settings.api_token.get_secret_value() not in str(away.value)


async def test_a_refusal_says_what_the_forge_said_on_one_line(github: FakeForge) -> None:
    async with closing(forge_of("main", source_of(github, "github"))) as forge:
        github.fail_next.append(
            Answer(422, {"message": "no\n\x1b[31m", "errors": [{"message": "x"}]})
        )
        with pytest.raises(ForgeRefused) as refused:
            await forge.hooks(SHOP)
        assert str(refused.value).isprintable()
        assert "no" in str(refused.value)
        assert refused.value.status == 422


async def test_a_renamed_repository_is_found_by_its_old_name(github: FakeForge) -> None:
    async with closing(forge_of("main", source_of(github, "github"))) as forge:
        await forge.create_hook(SHOP, URL, "s")
        github.rename("acme/shop", "acme/store")
        moved = {"location": f"{github.url}/repos/acme/store/hooks?per_page=100"}
        github.fail_next.append(Answer(301, {"message": "Moved Permanently"}, moved))
        assert [hook.url for hook in await forge.hooks(SHOP)] == [URL]


@pytest.mark.parametrize("where", ["http://evil.test/repos", "//evil.test/x", "http://["])
async def test_the_token_goes_nowhere_else(github: FakeForge, where: str) -> None:
    async with closing(forge_of("main", source_of(github, "github"))) as forge:
        github.fail_next.append(Answer(302, None, {"location": where}))
        with pytest.raises(ForgeError):
            await forge.hooks(SHOP)
        github.fail_next.append(Answer(200, [], {"link": f'<{where}>; rel="next"'}))
        with pytest.raises(ForgeError):
            await forge.hooks(SHOP)


@pytest.mark.parametrize("document", [None, [], {}, [None, 1, {"id": "x", "config": []}], "text"])
async def test_any_answer_at_all_is_understood_or_an_error_of_ours(
    github: FakeForge, document: object
) -> None:
    async with closing(forge_of("main", source_of(github, "github"))) as forge:
        github.fail_next.append(Answer(200, document))
        with suppress(ForgeError):
            assert all(hook.url == "" for hook in await forge.hooks(SHOP))
        assert await forge.hooks(SHOP) == []


async def test_an_answer_without_end_is_not_read_to_its_end(github: FakeForge) -> None:
    async with closing(forge_of("main", source_of(github, "github"))) as forge:
        github.fail_next.append(Answer(200, "x" * 9_000_000))
        with pytest.raises(ForgeAway, match="too long"):
            await forge.hooks(SHOP)


async def test_a_wrong_token_is_said_with_the_setting(github: FakeForge) -> None:
    async with closing(forge_of("main", source_of(github, "github", api_token="other"))) as forge:
        with pytest.raises(ForgeRefused) as refused:
            await forge.hooks(SHOP)
        assert "api_token_file" in refused.value.next_step


async def test_without_a_token_nothing_is_asked(github: FakeForge) -> None:
    async with closing(forge_of("main", source_of(github, "github", api_token=""))) as forge:
        with pytest.raises(TokenUnusable):
            await forge.hooks(SHOP)
        assert github.requests == []


async def test_a_compressed_answer_is_none(github: FakeForge) -> None:
    """Some kilobytes could become gigabytes."""
    async with closing(forge_of("main", source_of(github, "github"))) as forge:
        github.fail_next.append(Answer(200, [], {"content-encoding": "gzip, gzip"}))
        with pytest.raises(ForgeAway, match="compressed"):
            await forge.hooks(SHOP)


async def test_a_forge_that_is_silent_is_not_waited_for_again_and_again() -> None:
    with fake_of("github") as fake:
        settings = source_of(fake, "github")
    async with closing(forge_of("main", settings)) as forge:
        said = []
        for _ in range(6):
            with pytest.raises(ForgeAway) as away:
                await forge.hooks(SHOP)
            said.append(str(away.value))
        assert "for a while" not in said[0]
        assert "for a while" in said[-1]


@pytest.mark.parametrize("token", ["two\nlines-77ab", "a space-77ab", "ünïcode-77ab"])
async def test_what_is_no_token_is_neither_sent_nor_shown(
    github: FakeForge, tmp_path: Path, token: str
) -> None:
    """A library would show it, as a header that it does not take."""
    (tmp_path / "token").write_text(token)
    changes = {"api_token": "", "api_token_file": tmp_path / "token"}
    async with closing(forge_of("main", source_of(github, "github", **changes))) as forge:
        with pytest.raises(TokenUnusable) as unusable:
            await forge.hooks(SHOP)
    assert "77ab" not in str(unusable.value)
    assert github.requests == []
