"""What a connection may send, for how long, and what it is told when that is over."""

import asyncio
import itertools
import json
import logging
import time
from pathlib import Path

import httpx
import pytest

from directcd import deadlines
from hub.fanout import News
from hub.log.values import Cursor, Event
from tests.support.deliveries import SHOP, A, push
from tests.support.hubs import serving_hub, settings
from tests.support.waiting import DEADLINE_SECONDS, eventually

HALF = b"POST /webhooks/github/main HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 9\r\n\r\nhalf"


async def test_a_body_that_does_not_come_is_waited_for_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """408 with a next step; one line in the log counts them."""
    monkeypatch.setattr(deadlines, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(deadlines, "LOOK_EVERY_SECONDS", 0.3)
    async with serving_hub(settings(tmp_path)) as (url, *_):
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        writer.write(HALF)
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "request-too-slow"
    assert [r.__dict__["body"] for r in caplog.records if r.msg == "too slow, hung up"] == [1]


async def test_an_answer_that_takes_long_has_no_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poll waits as long as it asked for, though headers and body must come quickly."""
    monkeypatch.setattr(deadlines, "BODY_SECONDS", 0.1)
    monkeypatch.setattr(deadlines, "HEADERS_SECONDS", 0.1)
    monkeypatch.setattr(deadlines, "LOOK_EVERY_SECONDS", 0.05)
    async with serving_hub(settings(tmp_path)) as (url, *_), httpx.AsyncClient() as client:
        events = f"{url}/v1/events?repository={SHOP}&timeout=1"
        cursor = (await client.get(f"{events}&after=0-0-000000")).json()["cursor"]
        answer = await client.get(f"{events}&after={cursor}")
        assert answer.status_code == 204


async def test_a_stopping_hub_waits_for_no_body(tmp_path: Path) -> None:
    """Half a delivery is sent away at once, to come again."""
    async with serving_hub(settings(tmp_path)) as (url, stopping, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        writer.write(HALF)
        await asyncio.sleep(0.1)
        stopping.set()
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 2" in answer
    assert b'"code": "stopping"' in answer


async def test_who_leaves_while_another_request_waits_is_forgotten(tmp_path: Path) -> None:
    """A stream with a request behind it ends when its connection does."""
    async with serving_hub(settings(tmp_path)) as (url, _, app):
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        stream = b"GET /v1/events HTTP/1.1\r\nHost: [::1]\r\nAccept: text/event-stream\r\n\r\n"
        writer.write(stream + b"GET /livez HTTP/1.1\r\nHost: [::1]\r\n\r\n" * 2)
        await reader.readuntil(b"\nid: ")
        assert len(app.raw_events._fanout._all) == 1
        writer.transport.abort()
        await eventually(lambda: not app.raw_events._fanout._all)


async def test_a_stopping_hub_does_not_wait_for_who_does_not_read(tmp_path: Path) -> None:
    """Others hear `bye`; one that has taken nothing for a second is left."""
    async with serving_hub(settings(tmp_path)) as (url, stopping, app):
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        writer.write(b"GET /v1/events HTTP/1.1\r\nHost: [::1]\r\nAccept: text/event-stream\r\n\r\n")
        await reader.readuntil(b"\nid: ")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        [follower] = app.raw_events._fanout._all
        numbers = itertools.count(1)
        while not follower._news:  # it takes what it is offered, until it can write no more
            event = Event(Cursor(1, next(numbers), 0), frozenset(), "", b"x" * 100_000)
            follower.offer([News(event.cursor.position, event, event.cursor)])
            await asyncio.sleep(0.001)
        started = time.monotonic()
        stopping.set()
    assert time.monotonic() - started < 9  # uvicorn alone waits for ten
    writer.close()


async def test_a_body_that_breaks_off_in_nonsense_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """400 and the end of the connection, without a traceback."""
    async with serving_hub(settings(tmp_path)) as (url, *_):
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        head = b"POST /webhooks/github/main HTTP/1.1\r\nHost: [::1]\r\n"
        writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\nno number\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


HEAD = b"POST /webhooks/github/main HTTP/1.1\r\nHost: [::1]\r\n"
WRONG = b"X-Hub-Signature-256: sha256=" + b"0" * 64 + b"\r\n"


async def told(url: str, *pieces: bytes) -> bytes:
    """What the hub says to these bytes, until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.05)
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("length", [b"0" * 30 + b"40000000", b"9" * 16])
async def test_a_length_is_read_whatever_zeros_stand_before_it(
    tmp_path: Path, length: bytes
) -> None:
    """413, and nothing of the body is waited for."""
    async with serving_hub(settings(tmp_path)) as (url, *_):
        answer = await told(url, HEAD + WRONG + b"Content-Length: " + length + b"\r\n\r\nx")
        assert b" 413 " in answer


async def test_headers_have_a_limit(tmp_path: Path) -> None:
    """431 with a next step, and the end, whether they are one or many or follow a body."""
    async with serving_hub(settings(tmp_path)) as (url, *_):
        one = await told(url, HEAD + b"X-Long: " + b"x" * 70_000)
        many = await told(url, HEAD + b"a: b\r\n" * 15_000 + b"\r\n")
        start = HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
        trailers = await told(url, start, *[b"a: b\r\n" * 6_000] * 3)
        for answer in (one, many, trailers):
            assert answer.startswith(b"HTTP/1.1 431 ")
            assert b"can be sent by POST" in answer


async def test_the_size_of_a_chunk_may_come_alone(tmp_path: Path) -> None:
    """And the chunk a moment later: the hub goes on reading."""
    delivery = push(A)
    headers = "".join(f"{name}: {value}\r\n" for name, value in delivery.headers.items()).encode()
    start = HEAD + headers + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    size = b"%x\r\n" % (len(delivery.body) - 1)
    first, rest = delivery.body[:1], delivery.body[1:]
    async with serving_hub(settings(tmp_path)) as (url, *_), asyncio.timeout(DEADLINE_SECONDS):
        answer = await told(url, start + b"1\r\n" + first + b"\r\n", size, rest, b"\r\n0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 202 ")


async def test_few_requests_may_wait_on_a_connection(tmp_path: Path) -> None:
    """Those are answered; then one 400 with a next step, and the end."""
    async with serving_hub(settings(tmp_path)) as (url, *_):
        answer = await told(url, b"GET /livez HTTP/1.1\r\nHost: [::1]\r\n\r\n" * 2_000)
        assert answer.count(b"HTTP/1.1 200 ") == deadlines.WAITING_REQUESTS + 1
        assert answer.count(b"HTTP/1.1 400 ") == 1
        assert b"too-many-waiting-requests" in answer


@pytest.mark.parametrize("upgrade", [b"h2c", b"websocket"])
async def test_an_offered_upgrade_is_not_taken(tmp_path: Path, upgrade: bytes) -> None:
    """Java's client offers HTTP/2 with each request; body and signature are read all the same."""
    delivery = push(A)
    headers = "".join(f"{name}: {value}\r\n" for name, value in delivery.headers.items()).encode()
    offer = b"Connection: Upgrade, HTTP2-Settings, close\r\nHTTP2-Settings: AAEA\r\n"
    offer += b"Upgrade: " + upgrade + b"\r\nContent-Length: %d\r\n\r\n" % len(delivery.body)
    async with serving_hub(settings(tmp_path)) as (url, *_):
        body = delivery.body
        answer = await told(url, HEAD + headers + offer + body[:9], body[9:])
        assert answer.startswith(b"HTTP/1.1 202 ")
        assert b'"connect' not in (await told(url, b"CONNECT x:1 HTTP/1.1\r\nHost: [::1]\r\n\r\n"))


async def test_what_is_not_http_is_told_so(tmp_path: Path) -> None:
    """A problem with a next step; TLS on the plain port is the usual cause."""
    async with serving_hub(settings(tmp_path)) as (url, *_):
        answer = await told(url, b"\x16\x03\x01\x02\x00\x01")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "malformed-request"
