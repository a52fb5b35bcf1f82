"""Who may ask the server what: tokens, scopes, repositories."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from cd4sources.settings import TokenSettings
from cd4sources.tokens import Scope, digest, new_token
from tests.support.serving import BUILD_SH, Serving, listening, serving, target_of
from tests.support.sources import Source

READ, ADMIN, APP_ONLY = new_token(), new_token(), new_token()


def token(name: str, value: str, scope: Scope, *repositories: str) -> TokenSettings:
    return TokenSettings(
        name=name, sha256=digest(value), scopes=(scope,), repositories=repositories
    )


@pytest.fixture
def other(tmp_path: Path) -> Source:
    made = Source(tmp_path / "git" / "other")
    made.commit({"build.sh": BUILD_SH, "words": "one"})
    return made


@pytest.fixture
async def running(tmp_path: Path, source: Source, other: Source) -> AsyncIterator[Serving]:
    targets = [target_of("app", source.path), target_of("other", other.path)]
    tokens = (
        token("clients", READ, "read"),
        token("operators", ADMIN, "admin"),
        token("app", APP_ONLY, "read", f"file:{source.path}*"),
    )
    async with listening(tmp_path / "data", *targets, tokens=tokens) as server:
        yield server


async def asked(running: Serving, path: str, value: str, method: str = "GET") -> httpx.Response:
    headers = {"Authorization": f"Bearer {value}"} if value else {}
    return await running.http.request(method, path, headers=headers)


@pytest.mark.parametrize("value", ["", "dcd_wrong", "é"], ids=["none", "wrong", "odd"])
async def test_nothing_without_a_token(running: Serving, value: str) -> None:
    """Whatever is asked, and whether or not it exists."""
    headers = {b"Authorization": f"Bearer {value}".encode()} if value else {}
    for path in ("/watch?repo=x", "/download?repo=x", "/v1/targets", "/nowhere", "/openapi.json"):
        answer = await running.http.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "directcd token new" in answer.json()["next"]


async def test_probes_need_no_token(running: Serving) -> None:
    """Load balancers have none."""
    for path in ("/livez", "/readyz"):
        assert (await asked(running, path, "")).status_code == 200


@pytest.mark.parametrize(("value", "status"), [(READ, 403), (ADMIN, 202)], ids=["read", "admin"])
async def test_changes_need_admin(running: Serving, value: str, status: int) -> None:
    """Looking is allowed to both."""
    assert (await asked(running, "/v1/targets/app", value)).status_code == 200
    answer = await asked(running, "/v1/targets/app/refresh", value, "POST")
    assert answer.status_code == status
    if status == 403:
        assert (answer.json()["code"], "admin" in answer.json()["next"]) == ("scope-missing", True)


async def test_a_token_may_be_for_some_repositories(
    running: Serving, source: Source, other: Source
) -> None:
    """Of the others it is told that they are not for it, and nothing about them."""
    for path in (f"/watch?repo={source.path}", f"/download?repo={source.path}", "/v1/targets/app"):
        assert (await asked(running, path, APP_ONLY)).status_code == 200
    for path in (f"/watch?repo={other.path}", f"/download?repo={other.path}", "/v1/targets/other"):
        answer = await asked(running, path, APP_ONLY)
        assert (answer.status_code, answer.json()["code"]) == (403, "target-forbidden")


async def test_paths_are_told_apart_by_case(tmp_path: Path) -> None:
    """A glob for a path of this machine means what it says."""
    source = Source(tmp_path / "Git" / "App")
    source.commit({"build.sh": BUILD_SH, "words": "one"})
    tokens = (
        token("it", READ, "read", f"file:{tmp_path}/Git/*"),
        token("no", APP_ONLY, "read", f"file:{tmp_path}/git/*"),
    )
    target = target_of("app", source.path)
    async with serving(tmp_path / "data", target, tokens=tokens) as running:
        assert (await asked(running, "/v1/targets/app", READ)).status_code == 200
        assert (await asked(running, "/v1/targets/app", APP_ONLY)).status_code == 403


async def test_others_are_not_shown(running: Serving, other: Source) -> None:
    """Not in lists, and not as the nearest of what was misspelt."""
    listed = (await asked(running, "/v1/targets", APP_ONLY)).json()["targets"]
    assert [one["target"] for one in listed] == ["app"]
    for path in (f"/watch?repo={other.path}x", "/v1/targets/others"):
        answer = await asked(running, path, APP_ONLY)
        assert (answer.status_code, answer.text.count("git/other:")) == (404, 0)
        assert "known: app" in answer.json()["next"] or "nearest is app" in answer.json()["detail"]


async def test_a_wrong_token_is_logged_without_it(
    running: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it came from is what an operator needs."""
    with caplog.at_level(logging.WARNING):
        await asked(running, "/v1/targets?secret", "dcd_wrong")
    [line] = [one for one in caplog.records if one.name == "cd4sources.api.guarding"]
    assert (line.__dict__["peer"], line.__dict__["path"]) == ("127.0.0.1", "/v1/targets")
    assert "dcd_wrong" not in str(line.__dict__)


async def test_many_wrong_tokens_are_few_lines(
    running: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody fills the log."""
    for _ in range(50):
        await asked(running, "/v1/targets", "dcd_wrong")
    assert len([one for one in caplog.records if one.name == "cd4sources.api.guarding"]) < 10


async def test_who_asks_for_a_change_is_in_the_log(
    running: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """By the token's name; who only looks is not."""
    with caplog.at_level(logging.INFO, "cd4sources.api.guarding"):
        await asked(running, "/v1/targets", ADMIN)
        await asked(running, "/v1/targets/app/rollback", READ, "POST")
        await asked(running, "/v1/targets/app/rollback", ADMIN, "POST")
    [line] = caplog.records
    assert (line.token, line.path) == ("operators", "/v1/targets/app/rollback")  # type: ignore[attr-defined]
