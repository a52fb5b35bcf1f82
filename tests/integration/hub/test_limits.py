"""What a hub takes from a sender: how much, at what cost, and what it says beyond that."""

import asyncio
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from adapters.github import GitHub
from hub.api import bodies
from hub.app import create_app
from hub.log.sqlite import SqliteLog
from hub.log.values import Appended, DeliveryRecord, NewEvent
from hub.settings import SourceSettings
from hub.throttling import BURST
from tests.support.deliveries import SECRET, SHOP, A, B, Post, github, push
from tests.support.forges import bitbucket, gitea
from tests.support.hubs import hub_client, post, secrets, serving_hub, settings

WRONGLY_SIGNED = (
    b"POST /webhooks/github/main HTTP/1.1\r\nHost: x\r\n"
    b"X-Hub-Signature-256: sha256=" + b"0" * 64 + b"\r\n"
)
MIB = 1024 * 1024
BITBUCKET = {"bit": SourceSettings(provider="bitbucket", secrets=secrets(SECRET.decode()))}


def large(size: int, number: int = 1) -> Post:
    """A signed push of about this many bytes."""
    repository = {"full_name": "acme/shop", "clone_url": SHOP}
    commit = f"{number:040x}"
    document = {"ref": "refs/heads/main", "before": "0" * 40, "after": commit}
    return github("push", {**document, "repository": repository, "padding": "x" * size})


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    """A body whose length is not told beforehand."""
    for start in range(0, len(body), 50_000):
        yield body[start : start + 50_000]


@pytest.mark.parametrize("size", [100_000, 600_000, 2 * MIB], ids=["64 KiB", "1 MiB", "file"])
@pytest.mark.parametrize("declared", [True, False], ids=["length", "chunked"])
async def test_a_large_delivery_is_taken_whatever_way_it_comes(
    tmp_path: Path, size: int, *, declared: bool
) -> None:
    """In memory or by a file; nothing of it stays on the disk."""
    async with serving_hub(settings(tmp_path)) as (url, *_), httpx.AsyncClient() as client:
        delivery = large(size)
        body = delivery.body if declared else in_pieces(delivery.body)
        path = f"{url}/webhooks/github/main"
        answer = await client.post(path, content=body, headers=delivery.headers)
        assert (answer.status_code, answer.json()["verdict"]) == (202, "no-match")
        assert list((tmp_path / "bodies").glob("*")) == []


async def test_bodies_that_memory_has_no_room_for_take_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same answer, and then a file was needed."""
    monkeypatch.setattr(bodies, "MEMORY_BYTES", 0)
    async with serving_hub(settings(tmp_path)) as (url, *_), httpx.AsyncClient() as client:
        delivery = large(600_000)
        path = f"{url}/webhooks/github/main"
        answer = await client.post(path, content=delivery.body, headers=delivery.headers)
        assert answer.status_code == 202
    assert (tmp_path / "bodies").is_dir()


async def test_a_large_form_is_verified_by_the_text_it_carries(tmp_path: Path) -> None:
    """Gitea signs the JSON, not the form; escapes may stand anywhere in it."""
    small = json.loads(gitea("https://git.example.com/acme/shop", A, B).body)
    text = json.dumps(small | {"padding": "ä%&= " * 200_000}, ensure_ascii=False).encode()
    form = b"a=b&payload=" + quote(text).encode() + b"&c=d"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Gitea-Event": "push",
        "X-Gitea-Signature": hmac.digest(SECRET, text, "sha256").hex(),
    }
    async with hub_client(settings(tmp_path)) as hub:
        assert (await post(hub, Post(form, headers), "/webhooks/gitea/tea")).status_code == 202
        changed = form.replace(b"%C3%A4", b"%C3%A5", 1)
        refused = await post(hub, Post(changed, headers), "/webhooks/gitea/tea")
        assert refused.status_code == 401


@pytest.mark.parametrize(
    ("signature", "finding"),
    [("", "missing or empty"), ("X-Hub-Signature-256: sha256=no\r\n", "malformed")],
)
async def test_a_large_body_that_cannot_be_signed_is_refused_unread(
    tmp_path: Path, signature: str, finding: str
) -> None:
    """The sender, still sending, reads the answer; then the connection is closed."""
    async with serving_hub(settings(tmp_path)) as (url, *_):
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        head = f"POST /webhooks/github/main HTTP/1.1\r\nHost: x\r\n{signature}"
        writer.write(f"{head}Content-Length: {20 * MIB}\r\n\r\n".encode())
        writer.write(b"x" * 500_000)
        answer = await reader.read()
        assert b" 401 " in answer
        assert f"Signature-256 is {finding}; the body was not read".encode() in answer
        writer.close()


async def test_who_sends_on_after_a_refusal_still_reads_it(tmp_path: Path) -> None:
    """What is on its way is read for a moment: no reset before the answer."""
    async with serving_hub(settings(tmp_path)) as (url, *_):
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        head = b"POST /webhooks/github/none HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"
        writer.write(head)
        for _ in range(9):
            writer.write(b"x" * 100_000)
            await writer.drain()
            await asyncio.sleep(0.02)
        answer = await reader.read()
        assert b" 404 " in answer
        assert b"unknown-source" in answer
        writer.close()


async def test_a_disk_that_takes_no_body_is_the_reason_given(tmp_path: Path) -> None:
    """503 with Retry-After; small deliveries need no disk for their body."""
    (tmp_path / "bodies").write_text("a file, not a directory")
    async with hub_client(settings(tmp_path)) as hub:
        answer = await post(hub, large(2 * MIB))
        assert (answer.status_code, answer.json()["code"]) == (503, "body-not-kept")
        assert 2 <= int(answer.headers["retry-after"]) <= 8
        assert (await post(hub, push(A))).status_code == 202


async def test_the_files_of_bodies_have_a_limit_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second one is refused, and room that was given back can be used again."""
    monkeypatch.setattr(bodies, "DISK_BYTES", 3 * MIB)
    async with hub_client(settings(tmp_path)) as hub:
        assert (await post(hub, large(4 * MIB))).json()["code"] == "body-not-kept"
        for number in range(1, 4):
            assert (await post(hub, large(2 * MIB, number))).status_code == 202


async def test_many_bad_signatures_do_not_lock_the_forge_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """429 with Retry-After and no line each, and a well signed delivery is taken meanwhile."""
    async with hub_client(settings(tmp_path)) as hub:
        with caplog.at_level(logging.WARNING):
            answers = [await post(hub, push(A, secret=b"wrong")) for _ in range(BURST + 30)]
        assert [answer.status_code for answer in answers[:BURST]] == [401] * BURST
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert answers[-1].json()["code"] == "too-many-bad-signatures"
        assert len(caplog.records) <= BURST + 5
        assert (await post(hub, push(A))).status_code == 202


class SpoolingLog(SqliteLog):
    """A log that has every delivery on this hub's disk only."""

    async def append(self, delivery: DeliveryRecord, events: Sequence[NewEvent]) -> Appended:
        """Promise it for later."""
        return Appended(0, spooled=True)


async def test_a_spooled_delivery_says_where_it_is(tmp_path: Path) -> None:
    """Accepted, with the reason it cannot be looked up yet."""
    app = create_app(settings(tmp_path), log=SpoolingLog(tmp_path))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as hub,
    ):
        answer = await post(hub, push(A))
        ping = await post(hub, github("ping", {"zen": "x"}))
    assert answer.status_code == ping.status_code == 202
    assert answer.json()["inspect"] is None
    assert answer.json()["reason"].endswith("; kept on this hub's disk until its log is back")


async def test_many_refs_and_many_patterns_hold_nobody_up(tmp_path: Path) -> None:
    """A push of thousands of refs is compared in slices; others are served between them."""
    names = [f"topic/{number}" for number in range(3_000)]
    async with hub_client(settings(tmp_path, sources=BITBUCKET)) as hub:
        for number in range(60):
            wanted = [{"url": "https://bitbucket.org/acme/shop", "ref": f"*-{number}"}]
            subscription = {"name": f"s{number}", "repositories": wanted}
            assert (await hub.post("/v1/subscriptions", json=subscription)).status_code == 201
        delivery = bitbucket("r1", *((name, None, A) for name in names))
        done = asyncio.ensure_future(post(hub, delivery, "/webhooks/bitbucket/bit"))
        turns = []
        while not done.done():
            before = time.thread_time()  # this thread's own work, however busy the machine is
            await asyncio.sleep(0.001)  # not 0: the log's thread must come to its turn
            turns.append(time.thread_time() - before)
        assert (await done).json()["verdict"] == "no-match"
        assert max(turns) < sum(turns) / 3  # of twelve slices and the rest


@pytest.mark.parametrize("limit", [50_000, 200_000], ids=["one piece", "pieces"])
async def test_a_streamed_body_has_the_same_limit(tmp_path: Path, limit: int) -> None:
    """What arrives is counted, when no length was told."""
    async with hub_client(settings(tmp_path, body_limit_bytes=limit)) as hub:
        delivery = large(limit)
        body = in_pieces(delivery.body)
        answer = await hub.post("/webhooks/github/main", content=body, headers=delivery.headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


async def test_a_compressed_body_is_refused_by_name(tmp_path: Path) -> None:
    """415 and what to do; identity is no encoding."""
    async with hub_client(settings(tmp_path)) as hub:
        delivery = push(A)
        path = "/webhooks/github/main"
        headers = delivery.headers | {"Content-Encoding": "gzip"}
        answer = await hub.post(path, content=delivery.body, headers=headers)
        assert answer.status_code == 415
        assert "gzip" in answer.json()["detail"]
        headers["Content-Encoding"] = "identity"
        assert (await hub.post(path, content=delivery.body, headers=headers)).status_code == 202


async def test_what_cannot_be_signed_never_reaches_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when memory is full."""
    monkeypatch.setattr(bodies, "MEMORY_BYTES", 0)
    async with hub_client(settings(tmp_path)) as hub:
        body = in_pieces(b"x" * 300_000)
        answer = await hub.post("/webhooks/github/main", content=body)
        assert answer.status_code == 401
    assert not (tmp_path / "bodies").exists()


async def test_memory_and_disk_are_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By answered deliveries, and by senders that hang up."""
    monkeypatch.setattr(bodies, "MEMORY_BYTES", MIB)
    monkeypatch.setattr(bodies, "DISK_BYTES", 3 * MIB)
    async with serving_hub(settings(tmp_path)) as (url, *_), httpx.AsyncClient() as client:
        port = httpx.URL(url).port
        for number in range(1, 5):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(WRONGLY_SIGNED + b"Content-Length: 3000000\r\n\r\n" + b"x" * 2_000_000)
            await asyncio.sleep(0.2)
            writer.close()
            await asyncio.sleep(0.1)
            delivery = large(2 * MIB, number)
            path = f"{url}/webhooks/github/main"
            answer = await client.post(path, content=delivery.body, headers=delivery.headers)
            assert answer.status_code == 202
        # Nothing is charged any more: what fits into memory needs no disk.
        monkeypatch.setattr(bodies, "DISK_BYTES", 0)
        for number in range(10, 14):
            delivery = large(600_000, number)
            answer = await client.post(path, content=delivery.body, headers=delivery.headers)
            assert answer.status_code == 202


@pytest.mark.parametrize("size", [10, 2 * MIB], ids=["small", "large"])
async def test_an_adapters_mistake_is_a_problem_whatever_the_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """500 with a next step."""

    def mistaken(*_: object) -> int:
        raise KeyError("x")

    monkeypatch.setattr(GitHub, "verify", mistaken)
    async with hub_client(settings(tmp_path)) as hub:
        answer = await post(hub, large(size))
        assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")


async def test_a_body_that_the_disk_lost_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 and the reason."""

    def lost(_: bodies.SpooledBody) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(bodies.SpooledBody, "read", lost)
    async with hub_client(settings(tmp_path)) as hub:
        answer = await post(hub, large(2 * MIB))
        assert (answer.status_code, answer.json()["code"]) == (503, "body-not-kept")
        assert "Input/output error" in answer.json()["detail"]


async def test_a_flood_of_refusals_is_not_a_flood_of_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each is answered; the log has a burst and a summary."""
    async with hub_client(settings(tmp_path)) as hub:
        with caplog.at_level(logging.WARNING):
            answers = [await hub.post("/webhooks/github/none") for _ in range(BURST + 30)]
        assert {answer.status_code for answer in answers} == {404}
        assert len(caplog.records) <= BURST + 5
        assert caplog.records[-1].__dict__["code"] == "unknown-source"
