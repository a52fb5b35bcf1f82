"""The API without tokens: open to programs, closed to web pages, and never fed without end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cd4sources.api import bodies
from cd4sources.settings import TokenSettings
from cd4sources.tokens import digest, new_token
from tests.support.serving import Serving, listening, serving, target_of
from tests.support.sources import Source

REFRESH = "/v1/targets/app/refresh"


@pytest.fixture
async def running(tmp_path: Path, source: Source) -> AsyncIterator[Serving]:
    async with listening(tmp_path / "data", target_of("app", source.path)) as server:
        yield server


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example.com"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "null"},
    ],
    ids=str,
)
async def test_pages_of_other_sites_change_nothing(
    running: Serving, headers: dict[str, str]
) -> None:
    """Also those of another port of this machine; looking is not theirs to read anyway."""
    answer = await running.http.post(REFRESH, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross-site")
    assert "[[server.tokens]]" in answer.json()["next"]
    assert (await running.http.get("/v1/targets", headers=headers)).status_code == 200


async def test_pages_of_its_own_may(running: Serving) -> None:
    """As may programs, which send neither."""
    origin = str(running.http.base_url).rstrip("/")
    for headers in ({}, {"Origin": origin, "Sec-Fetch-Site": "same-origin"}):
        assert (await running.http.post(REFRESH, headers=headers)).status_code == 202


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1.evil.example.com:80", "[::1"])
async def test_on_loopback_it_has_only_names_of_this_machine(running: Serving, host: str) -> None:
    """Or a page could have its own name point here, and read everything."""
    for path in ("/v1/targets", "/watch?repo=x"):
        answer = await running.http.get(path, headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign-host")
    assert (await running.http.get("/livez", headers={"Host": host})).status_code == 200
    for ours in ("localhost:1", "LOCALHOST.", "[::1]:80", "127.1.2.3", "app.localhost"):
        assert (await running.http.get("/v1/targets", headers={"Host": ours})).status_code == 200


async def test_elsewhere_it_has_any_name(tmp_path: Path, source: Source) -> None:
    """Its names are not known there."""
    target = target_of("app", source.path)
    async with serving(tmp_path / "data", target, listen="0.0.0.0:8081") as running:
        answer = await running.http.get("/v1/targets", headers={"Host": "cd.example.com"})
    assert answer.status_code == 200


async def test_a_token_is_enough_from_any_page(tmp_path: Path, source: Source) -> None:
    """No browser sends it on its own."""
    value = new_token()
    token = TokenSettings(name="ops", sha256=digest(value), scopes=("admin",))
    target = target_of("app", source.path)
    headers = {"Authorization": f"Bearer {value}", "Sec-Fetch-Site": "cross-site", "Host": "cd"}
    async with serving(tmp_path / "data", target, tokens=(token,)) as running:
        assert (await running.http.post(REFRESH, headers=headers)).status_code == 202


@pytest.mark.parametrize("path", ["/v1/targets/app/pin", REFRESH, "/watch?repo=x"])
@pytest.mark.parametrize("chunked", [True, False])
async def test_long_bodies_are_refused(running: Serving, path: str, *, chunked: bool) -> None:
    """Told in advance or not, read by anybody or not."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 10_000
            await asyncio.sleep(0)

    body = pieces() if chunked else b"x" * (bodies.MOST_BYTES + 1)
    method = "GET" if path.startswith("/watch") else "POST"
    answer = await running.http.request(method, path, content=body)
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


async def test_bodies_in_pieces_are_read(running: Serving) -> None:
    """As one."""

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b'{"version"', b': "v-000000', b'000000"}'):
            yield piece
            await asyncio.sleep(0)

    headers = {"Content-Type": "application/json"}
    answer = await running.http.post("/v1/targets/app/pin", content=pieces(), headers=headers)
    assert answer.json()["code"] == "unknown-version"
