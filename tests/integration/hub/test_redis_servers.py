"""Which servers a log is opened on: over TLS, and only those that can hold one."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from hub.log.base import LogUnavailable, LogUnfit
from tests.support.certificates import certificate
from tests.support.events import event, record
from tests.support.redis_logs import opened
from tests.support.redis_servers import single

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server of the test's own; its port."""
    answering: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        answering.add(task)
        await serve(reader, writer)
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
    if answering:  # the loop must not end before their connections have
        await asyncio.wait(answering, timeout=2)


@asynccontextmanager
async def tls_in_front(port: int, pem: Path) -> AsyncIterator[int]:
    """A door with TLS before a plain server; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.wait(
            [
                asyncio.ensure_future(copy(reader, inner_writer)),
                asyncio.ensure_future(copy(inner_reader, writer)),
            ]
        )

    async with listening(pass_on, context) as door:
        yield door


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything that comes, until it ends."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


async def test_a_log_over_tls_trusts_the_authority_it_is_given(tmp_path: Path) -> None:
    """And nobody else: without it the same server is refused."""
    pem = certificate(tmp_path, "localhost")
    with single(tmp_path / "redis") as server:
        async with (
            tls_in_front(server.port, pem) as door,
            opened(f"rediss://localhost:{door}?ca={pem}") as log,
            opened(f"rediss://localhost:{door}") as trusting_nobody,
        ):
            assert not (await log.append(record(), [event("a")])).duplicate
            with pytest.raises(LogUnavailable, match="certificate"):
                await trusting_nobody.check()


@pytest.mark.parametrize(
    ("version", "complaint"),
    [("6.2.14", "7 or later"), ("5.0.7", "7 or later"), ("unstable", "is no number")],
)
async def test_a_redis_that_is_too_old_is_named_with_its_version(
    version: str, complaint: str
) -> None:
    """It has neither sharded pub/sub nor scripts that are replicated by their effects."""
    info = f"# Server\r\nredis_version:{version}\r\n".encode()

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            writer.write(b"$%d\r\n%s\r\n" % (len(info), info))
        writer.close()

    async with listening(old) as port:
        with pytest.raises(LogUnfit, match=f"{version}.*{complaint}"):
            async with opened(f"redis://127.0.0.1:{port}"):
                pass


async def test_what_is_no_redis_at_all_is_said_to_be_none() -> None:
    """A web server answers the wrong address, too."""

    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with listening(web) as port, opened(f"redis://127.0.0.1:{port}") as log:
        with pytest.raises(LogUnavailable, match=r":\d+ does not speak the Redis protocol"):
            await log.check()


async def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """It is a matter of the settings: waiting would not help."""
    with pytest.raises(LogUnfit, match=r"missing\.pem"):
        async with opened(f"rediss://127.0.0.1:1?ca={tmp_path / 'missing.pem'}"):
            pass
