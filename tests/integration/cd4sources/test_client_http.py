"""The HTTP wrapper against servers that misbehave."""

import asyncio
import gzip
import hashlib
from pathlib import Path

import pytest

from cd4sources import http as wrapper
from cd4sources.http import BadAnswer, BadStatus, BrokenDownload, Http, Unreachable
from tests.integration.cd4sources.peers import OneAnswer, Peer, Request, respond, serving


class Dripping(Peer):
    """Sends a long answer byte by byte, and never ends it."""

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Until the asker has enough."""
        respond(writer, 200, b"x", length=1_000_000)
        while not writer.is_closing():
            await asyncio.sleep(0.01)
            writer.write(b"x")


class Silent(Peer):
    """Accepts and never answers."""

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Wait for the asker to give up."""
        await writer.wait_closed()


async def test_an_errors_reason_and_next_step_are_kept() -> None:
    """A problem document's words reach the message, and the status the caller."""
    problem = {"code": "unknown-target", "detail": "No such target.", "next": "Did you mean shop?"}
    peer = OneAnswer(lambda writer: respond(writer, 404, problem))
    async with serving(peer), Http() as http:
        with pytest.raises(BadStatus, match=r"404: No such target; Did you mean shop") as caught:
            await http.get_json(peer.url)
    assert (caught.value.status, caught.value.problem.code) == (404, "unknown-target")


async def test_messages_hold_no_password_and_no_query() -> None:
    """URLs in errors are cut down to what may be logged."""
    async with Http() as http:
        with pytest.raises(Unreachable) as caught:
            await http.get_json("http://me:secret@127.0.0.1:9/watch?repo=token")
    assert "127.0.0.1:9/watch" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "token" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["nonsense", "http://", "ftp://127.0.0.1/", "http://[::1", "\0", "http://127.0.0.1:99999"],
)
async def test_an_unusable_url_is_an_error_of_ours(url: str) -> None:
    """Whatever the library thinks of it."""
    async with Http() as http:
        with pytest.raises(Unreachable):
            await http.get_json(url)


async def test_a_silent_server_is_given_up() -> None:
    """Every request has an end."""
    async with serving(Silent()) as peer, Http() as http:
        with pytest.raises(Unreachable):
            await http.get_json(peer.url, timeout_seconds=0.1)


async def test_a_silent_stream_is_given_up() -> None:
    """A stream without even a ping is dead."""
    async with serving(Silent()) as peer, Http() as http:
        with pytest.raises(Unreachable):
            async with http.events(peer.url, silence_seconds=0.1):
                pass


async def test_a_huge_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded."""
    monkeypatch.setattr(wrapper, "MAX_ANSWER_BYTES", 1000)
    peer = OneAnswer(lambda writer: respond(writer, 200, b"x" * 1001))
    async with serving(peer), Http() as http:
        with pytest.raises(BadAnswer, match="longer than 1000 bytes"):
            await http.get_json(peer.url)


async def test_encoded_answers_are_refused(tmp_path: Path) -> None:
    """They were not asked for, and a few bytes could become any number."""

    def answer(writer: asyncio.StreamWriter) -> None:
        respond(writer, 200, gzip.compress(b"{}"), head="Content-Encoding: gzip\r\n")

    async with serving(OneAnswer(answer)) as peer, Http() as http:
        with pytest.raises(BadAnswer, match="encoded as 'gzip'"):
            await http.get_json(peer.url)
        with pytest.raises(BadAnswer, match="encoded"):
            await anext(http.pieces(peer.url, silence_seconds=5))
        with pytest.raises(BadAnswer, match="encoded"):
            await http.download(peer.url, tmp_path / "app", size=4, sha256="")
        async with http.events(peer.url, silence_seconds=5) as events:
            with pytest.raises(BadAnswer, match="encoded"):
                await anext(events)
    assert {one.headers["accept-encoding"] for one in peer.requests} == {"identity"}


async def test_proxies_are_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is reached directly whatever the environment says."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    peer = OneAnswer(lambda writer: respond(writer, 200, b"{}"))
    async with serving(peer), Http() as http:
        assert (await http.get_json(peer.url)).status == 200


@pytest.mark.parametrize(
    ("sent", "reason"),
    [(b"good!", "more than the promised 4 bytes"), (b"goo", "SHA-256"), (b"evil", "SHA-256")],
    ids=["more", "fewer", "other"],
)
async def test_a_download_of_other_bytes_says_how(tmp_path: Path, sent: bytes, reason: str) -> None:
    """More, fewer and other bytes are told."""
    digest = hashlib.sha256(b"good").hexdigest()
    peer = OneAnswer(lambda writer: respond(writer, 200, sent))
    async with serving(peer), Http() as http:
        with pytest.raises(BrokenDownload, match=reason):
            await http.download(peer.url, tmp_path / "app", size=4, sha256=digest)


async def test_a_download_that_creeps_is_given_up_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never silent, and yet without an end; the next attempt goes on from there."""
    monkeypatch.setattr(wrapper, "STALL_TIMEOUT_SECONDS", 0.3)
    async with serving(Dripping()) as peer, Http() as http, asyncio.timeout(10):
        with pytest.raises(Unreachable, match="slower than 1024 bytes a second"):
            await http.download(peer.url, tmp_path / "app", size=1_000_000, sha256="0" * 64)
    assert (tmp_path / "app").stat().st_size > 1
