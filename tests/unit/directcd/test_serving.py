"""Listening addresses: what can be written, and what is said at the start."""

import asyncio
import socket

import pytest
from fastapi import FastAPI

from directcd import serving
from directcd.life import Life
from directcd.process import StartError


@pytest.mark.parametrize(
    ("listen", "message"),
    [("8080", "host:port"), ("127.0.0.1:http", "host:port"),
     ("127.0.0.1:99999", "highest is 65535"),
     ("203.0.113.1:0", "cannot listen")],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_one_sentence(listen: str, message: str) -> None:
    """What was written, and what to write."""
    with pytest.raises(StartError, match=message):
        serving.bind(listen)


def test_a_port_in_use_is_named() -> None:
    """The commonest reason not to start."""
    with serving.bind("127.0.0.1:0") as taken, pytest.raises(StartError, match=r"in use.*ss -ltnp"):
        serving.bind(serving.address(taken))


def test_v6_and_every_address_can_be_written() -> None:
    """Brackets for IPv6; nothing before the colon for all."""
    with serving.bind("[::1]:0") as v6, serving.bind(":0") as every:
        assert v6.family == every.family == socket.AF_INET6
        assert serving.address(v6).startswith("[::1]:")


@pytest.mark.parametrize(
    ("host", "is_guarded", "level"),
    [("127.0.0.1", False, "INFO"), ("127.0.0.1", True, None), ("", False, "WARNING"),
     ("", True, None)],
)  # fmt: skip
def test_an_open_api_is_said_at_start(
    caplog: pytest.LogCaptureFixture, host: str, level: str | None, *, is_guarded: bool
) -> None:
    """A warning when others reach it."""
    with caplog.at_level("INFO"), serving.bind(f"{host}:0") as listener:
        serving._announce("server", listener, is_guarded=is_guarded)
    found = [one.levelname for one in caplog.records if one.message.startswith("the API")]
    assert found == ([level] if level else [])


async def test_who_is_connected_at_the_end_is_still_answered() -> None:
    """Connecting and asking are two steps, and a restart may come in between."""
    app, life = FastAPI(), Life(asyncio.Event())
    app.state.stopping = asyncio.Event()
    serving.tell_version(app)
    with serving.bind("127.0.0.1:0") as free:
        place = serving.address(free)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(serving.serve(app, place, "test", life))
        await life.ready.wait()
        reader, writer = await asyncio.open_connection(*serving.host_and_port(place))
        life.stopping.set()
        await app.state.stopping.wait()
        await asyncio.sleep(3 * serving.LAST_REQUEST_SECONDS)
        writer.write(b"GET /version HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"200"
        writer.close()
