"""Listening addresses and processes that start loudly or stop quickly."""

import asyncio
import gc
import resource
import socket
from collections.abc import Iterator

import pytest

from directcd import serving


@pytest.mark.parametrize(
    ("listen", "message"),
    [("8080", "host:port"), ("127.0.0.1:http", "host:port"), ("127.0.0.1:99999", "host:port"),
     ("203.0.113.1:0", "cannot listen")],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_one_sentence(listen: str, message: str) -> None:
    """What was written, and what to write."""
    with pytest.raises(serving.StartError, match=message):
        serving.bind(listen)


def test_a_port_in_use_is_named() -> None:
    """The commonest reason not to start."""
    with serving.bind("127.0.0.1:0") as taken, pytest.raises(serving.StartError, match="in use"):
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


def test_the_first_part_that_fails_ends_the_others() -> None:
    """A process that does half its job is worse than none."""
    ended = []

    async def fails(_: asyncio.Event) -> None:
        raise serving.StartError("no")

    async def waits(stopping: asyncio.Event) -> None:
        try:
            await stopping.wait()
        finally:
            ended.append(True)

    with pytest.raises(ExceptionGroup):
        serving.run(waits, fails)
    assert ended == [True]


@pytest.fixture
def collector() -> Iterator[None]:
    """The garbage collector as it was."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_is_there_at_the_start_is_not_looked_through_again(collector: None) -> None:
    """A busy process does not pause for what never becomes garbage."""
    frozen = []

    async def looks(_: asyncio.Event) -> None:
        frozen.append(gc.get_freeze_count())

    serving.run(looks)
    assert frozen[0] > 1000


def test_as_many_connections_are_held_as_the_system_lets_it() -> None:
    """The soft limit of descriptors is raised, whatever the shell gave."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = []

    async def looks(_: asyncio.Event) -> None:
        found.append(resource.getrlimit(resource.RLIMIT_NOFILE))

    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        serving.run(looks)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found == [(min(hard, serving.DESCRIPTORS), hard)]
