"""Who may deliver: a source's own networks, GitHub's list, and proxies in between."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.app import Hub, create_app
from hub.forges import meta
from hub.settings import HubSettings
from tests.support.deliveries import SECRET, A, B, Post, push
from tests.support.forge_apis import FakeGitHub
from tests.support.forge_apis.server import Answer
from tests.support.hubs import WEBHOOK, hub_of, serving_hub
from tests.support.waiting import eventually

FORGE, STRANGER, PROXY = "192.0.2.7", "198.51.100.7", "10.0.0.1"


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """A GitHub that publishes whom it calls from, to everybody."""
    fake = FakeGitHub()
    yield fake
    fake.close()


def guarded(data: Path, *allowed: str, trusted: tuple[str, ...] = (), **more: Any) -> HubSettings:
    """A hub whose source takes deliveries of some alone."""
    settings = hub_of(data, "github", allowed_senders=allowed, **more)
    document = settings.model_dump() | {"trusted_proxies": trusted}
    return HubSettings.model_validate(document)


@asynccontextmanager
async def running(settings: HubSettings) -> AsyncIterator[Hub]:
    """A hub in this process."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


async def deliver(
    app: Hub, peer: str, delivery: Post | None = None, *, forwarded: str | None = None
) -> httpx.Response:
    """Post a delivery from an address, with what a proxy has added."""
    transport = httpx.ASGITransport(app, client=(peer, 4711))
    sent = delivery or push(A)
    headers = sent.headers | ({} if forwarded is None else {"X-Forwarded-For": forwarded})
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.post(WEBHOOK, content=sent.body, headers=headers)


async def takes(app: Hub, sender: str) -> bool:
    """Whether a delivery of that sender is taken; it may be a repeat."""
    return (await deliver(app, sender)).is_success


async def remembered(app: Hub, path: str) -> dict[str, Any]:
    """The only delivery or refusal there is."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        found: dict[str, Any] = (await client.get(path)).json()
        return found


async def test_a_source_takes_deliveries_of_its_forge_alone(tmp_path: Path) -> None:
    """Others are refused, also with a good signature; the answer names the sender it saw."""
    async with running(guarded(tmp_path, "192.0.2.0/24")) as app:
        assert await takes(app, FORGE)
        refused = await deliver(app, STRANGER)
        problem = refused.json()
        assert (refused.status_code, problem["code"]) == (403, "sender-not-allowed")
        expected = f"if {STRANGER} is the forge, add it to hub.sources.main.allowed_senders"
        assert problem["next"] == expected
        assert "trusted_proxies" not in problem["next"]


@pytest.mark.parametrize(
    ("peer", "forwarded"),
    [(PROXY, None), ("127.0.0.1", None), ("::ffff:10.0.0.1", None), (STRANGER, "x")],
    ids=["private", "loopback", "mapped", "forwarded"],
)
async def test_what_looks_like_a_proxy_is_to_be_trusted_first(
    tmp_path: Path, peer: str, forwarded: str | None
) -> None:
    """Else its own address is taken for the sender's."""
    async with running(guarded(tmp_path, "192.0.2.0/24")) as app:
        refused = await deliver(app, peer, forwarded=forwarded)
        assert refused.json()["next"].startswith(f"if {peer} is a proxy, add its network to ")
    trusting = guarded(tmp_path / "trusting", "192.0.2.0/24", trusted=("10.9.0.0/16",))
    async with running(trusting) as app:
        assert "proxy" not in (await deliver(app, peer, forwarded=forwarded)).json()["next"]


async def test_behind_a_trusted_proxy_the_sender_is_whom_it_names(tmp_path: Path) -> None:
    """He is what is remembered, of what was taken and of what was not."""
    trusting = guarded(tmp_path, "192.0.2.0/24", trusted=("10.0.0.0/8",))
    async with running(trusting) as app:
        claimed = await deliver(app, PROXY, forwarded=f"{FORGE}, {STRANGER}")
        assert claimed.status_code == 403
        assert f"if {STRANGER} is the forge" in claimed.json()["next"]
        taken = await deliver(app, PROXY, forwarded=f"{STRANGER}, {FORGE}:80, 10.0.0.2")
        assert taken.status_code == 202
        assert (await remembered(app, taken.json()["inspect"]))["peer"] == FORGE
        assert (await deliver(app, STRANGER, forwarded=FORGE)).status_code == 403
        await app.raw_webhooks._refused.write()
        [refusal] = (await remembered(app, "/v1/refusals"))["refusals"]
        assert (refusal["peer"], refusal["count"]) == (STRANGER, 2)


async def test_lines_of_the_header_are_one_list(tmp_path: Path) -> None:
    """A proxy may add a line of its own; the last of all lines is its word."""
    async with running(guarded(tmp_path, "192.0.2.0/24", trusted=("10.0.0.0/8",))) as app:
        sent = push(A)
        lines = [*sent.headers.items(), ("X-Forwarded-For", FORGE), ("x-forwarded-for", STRANGER)]
        transport = httpx.ASGITransport(app, client=(PROXY, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.post(WEBHOOK, content=sent.body, headers=lines)
        assert answer.status_code == 403


async def test_everybody_may_deliver_where_nothing_is_said(tmp_path: Path) -> None:
    """The peer is who connects, whatever the header says."""
    async with running(guarded(tmp_path)) as app:
        taken = await deliver(app, STRANGER, forwarded=FORGE)
        assert taken.status_code == 202
        assert (await remembered(app, taken.json()["inspect"]))["peer"] == STRANGER


async def test_a_refused_senders_body_is_not_read(tmp_path: Path) -> None:
    """He is answered on his headers."""
    async with serving_hub(guarded(tmp_path, "192.0.2.0/24")) as (url, _, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        head = f"POST {WEBHOOK} HTTP/1.1\r\nHost: h\r\nContent-Length: 20000000\r\n\r\n"
        writer.write(head.encode())
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"HTTP/1.1 403 ")
        writer.close()


async def test_github_says_who_may_deliver(tmp_path: Path, github: FakeGitHub) -> None:
    """What it publishes is read without a token, and counts beside one's own networks."""
    settings = guarded(tmp_path, "github-meta", "203.0.113.0/24", api_url=github.url)
    async with running(settings) as app:
        await eventually(lambda: ("GET", "/meta") in github.requests)
        await until_refused(app, STRANGER)
        assert await takes(app, FORGE)
        assert await takes(app, "203.0.113.7")


async def until_refused(app: Hub, sender: str) -> None:
    """Wait until the list has been taken over."""
    async with asyncio.timeout(10):
        while (await deliver(app, sender)).status_code != 403:
            await asyncio.sleep(0.01)


async def test_until_the_list_was_read_everybody_may(
    tmp_path: Path, github: FakeGitHub, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning; the signature still decides."""
    github.fail_next = [Answer(500)] * 5
    async with running(guarded(tmp_path, "github-meta", api_url=github.url)) as app:
        await eventually(lambda: github.requests)
        for commit in (A, B):
            assert (await deliver(app, STRANGER, push(commit))).status_code == 202
        unsigned = await deliver(app, STRANGER, push(A, secret=b"another"))
        assert unsigned.status_code == 401
    said = [one for one in caplog.records if one.msg.startswith("senders are let in unchecked")]
    assert len(said) == 1


async def test_a_list_that_was_read_once_is_there_after_a_restart(
    tmp_path: Path, github: FakeGitHub
) -> None:
    """Also when GitHub does not answer then."""
    settings = guarded(tmp_path, "github-meta", api_url=github.url)
    async with running(settings) as app:
        await until_refused(app, STRANGER)
    github.close()
    async with running(settings) as app:
        assert (await deliver(app, STRANGER)).status_code == 403
        assert await takes(app, FORGE)


async def test_a_changed_list_counts_and_an_unchanged_one_is_not_sent_again(
    tmp_path: Path, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for with the ETag of the last; garbage changes nothing."""
    monkeypatch.setattr(meta, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(meta, "RETRY_SECONDS", 0.01)
    async with running(guarded(tmp_path, "github-meta", api_url=github.url)) as app:
        await until_refused(app, STRANGER)
        await eventually(lambda: github.unchanged >= 2)
        garbage: list[Any] = [None, [], {"hooks": 1}, {"hooks": []}, {"hooks": ["x", None]}, "x", 3]
        github.fail_next = [Answer(200, document) for document in garbage]
        await eventually(lambda: not github.fail_next)
        assert (await deliver(app, STRANGER)).status_code == 403
        assert await takes(app, FORGE)
        github.networks = ["198.51.100.0/24"]
        await until_refused(app, FORGE)
        assert await takes(app, STRANGER)


async def test_trouble_with_the_list_is_said_once(
    tmp_path: Path,
    github: FakeGitHub,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not every minute."""
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(meta, "RETRY_SECONDS", 0.01)
    github.fail_next = [Answer(500)] * 3
    async with running(guarded(tmp_path, "github-meta", api_url=github.url)) as app:
        await until_refused(app, STRANGER)
    said = [one for one in caplog.records if one.msg == "the list of senders not read"]
    assert len(said) == 1
    assert SECRET.decode() not in caplog.text
