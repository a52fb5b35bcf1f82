"""Requests to the remotes of repositories: any answer in time, or one error."""

import asyncio
import ssl
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest

from cd4sources.http_errors import BadAnswer, Unreachable
from cd4sources.sources import remotes
from cd4sources.sources.remotes import Remotes
from tests.integration.cd4sources.peers import OneAnswer, Peer, Request, respond, serving
from tests.support.certificates import certificate


class Silent(Peer):
    """Takes a question, and that is all."""

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Wait until the asker goes."""
        await writer.wait_closed()


@pytest.mark.parametrize("status", [200, 302, 401, 500])
async def test_any_status_is_an_answer(status: int) -> None:
    """Redirects are not followed; names of headers are in lower case."""
    answer = partial(respond, status=status, body=b"said", head="Location: /away\r\n")
    async with serving(OneAnswer(answer)) as peer, aclosing(Remotes()) as ours:
        reply = await ours.ask("POST", f"{peer.url}/app", {"X-Kind": "any"}, b"question")
    assert (reply.status, reply.body, reply.headers["location"]) == (status, b"said", "/away")
    [asked] = peer.requests
    assert (asked.method, asked.path, asked.body) == ("POST", "/app", b"question")
    assert (asked.headers["x-kind"], asked.headers["user-agent"]) == ("any", "directcd")


async def test_an_answer_that_is_too_long_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor read to its end."""
    monkeypatch.setattr(remotes, "MAX_ANSWER_BYTES", 1000)
    async with (
        serving(OneAnswer(partial(respond, status=200, body=b"x" * 1001))) as peer,
        aclosing(Remotes()) as ours,
    ):
        with pytest.raises(BadAnswer, match="longer than 1000 bytes"):
            await ours.ask("GET", peer.url, {})


async def test_an_answer_in_crumbs_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them costs more than its bytes say."""
    monkeypatch.setattr(remotes, "MAX_PIECES", 3)

    def crumbs(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 .\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"1\r\nx\r\n" * 5 + b"0\r\n\r\n")

    async with serving(OneAnswer(crumbs)) as peer, aclosing(Remotes()) as ours:
        with pytest.raises(BadAnswer, match="3 pieces"):
            await ours.ask("GET", peer.url, {})


async def test_the_host_is_named_as_in_the_url() -> None:
    """With the brackets around an IPv6 address; a question without a body has no length."""
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        respond(writer, 200, b"said")
        writer.close()

    async with await asyncio.start_server(answer, "::1", 0) as server:
        host = f"[::1]:{server.sockets[0].getsockname()[1]}"
        async with aclosing(Remotes()) as ours:
            await ours.ask("GET", f"http://{host}/app", {})
    assert f"\r\nHost: {host}\r\n".encode() in heads[0]
    assert b"Content-Length" not in heads[0]


async def test_who_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address in the error has no password."""
    monkeypatch.setattr(remotes, "ASK_SECONDS", 0.2)
    async with serving(Silent()) as peer, aclosing(Remotes()) as ours:
        with pytest.raises(Unreachable, match=rf"^{peer.url}/app did not answer in time"):
            await ours.ask("GET", f"{peer.url}/app", {})


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/app",
        "http://127.0.0.1:99999/app",
        "http://[::1/app",
        "http:///app",
        "http://127.0.0.1/a b",
        "http://schlüssel.invalid/app",
        "gopher://127.0.0.1/app",
    ],
)
async def test_what_cannot_be_asked_is_one_error(url: str) -> None:
    """Whatever stands in the settings."""
    async with aclosing(Remotes()) as ours:
        with pytest.raises(Unreachable):
            await ours.ask("GET", url, {})


async def test_a_header_that_cannot_be_sent_is_one_error() -> None:
    """A password with a line's end would be another header."""
    async with (
        serving(OneAnswer(partial(respond, status=200))) as peer,
        aclosing(Remotes()) as ours,
    ):
        with pytest.raises(Unreachable):
            await ours.ask("GET", peer.url, {"Authorization": "Basic a\r\nX-Other: b"})
    assert not peer.requests


async def test_whom_the_system_trusts_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody else."""
    file = certificate(tmp_path, "localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        respond(writer, 200, b"said")
        writer.close()

    async with await asyncio.start_server(answer, "localhost", 0, ssl=context) as server:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        async with aclosing(Remotes()) as ours:
            with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
                await ours.ask("GET", url, {})
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        async with aclosing(Remotes()) as ours:
            assert (await ours.ask("GET", url, {})).body == b"said"
