"""The spool in front of a real Redis that freezes, dies or is not there, and kill -9 of the hub."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hub.log.redis import RedisLog
from hub.log.redis_address import parse_redis_url
from hub.log.spool import SpooledLog
from hub.log.values import DeliveryRecord, NewEvent
from tests.support.events import event, record
from tests.support.redis_servers import RedisServer, single
from tests.support.waiting import DEADLINE_SECONDS

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that forgets nothing it acknowledged."""
    with single(tmp_path / "redis", *DURABLE) as found:
        yield found


@asynccontextmanager
async def hub_log(url: str, spool: Path) -> AsyncIterator[SpooledLog]:
    """The log as a hub has it."""
    log = SpooledLog(RedisLog(parse_redis_url(url)), spool)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


def push(number: int) -> tuple[DeliveryRecord, list[NewEvent]]:
    """The push of one commit after the other."""
    moved = event(f"{number + 1}", f"{number}")
    return replace(record(), delivery_id=f"{number}"), [replace(moved, trace_id=f"{number:032x}")]


async def until_empty(log: SpooledLog) -> None:
    """Wait until nothing waits any more."""
    async with asyncio.timeout(20):
        while await log.check():
            await asyncio.sleep(0.02)


async def remembered(log: SpooledLog) -> list[int]:
    """The numbers of all deliveries in the log, oldest first."""
    return [int(one["delivery_id"]) for one in reversed(await log.deliveries(20_000, None))]


async def test_a_redis_that_freezes_gets_everything_once(
    tmp_path: Path, server: RedisServer
) -> None:
    """What it took without an answer is not taken again, and every answer was a yes."""
    async with hub_log(server.url, tmp_path / "spool") as log:
        for number in range(50):
            await log.append(*push(number))
        under_way = asyncio.gather(*(log.append(*push(number)) for number in range(50, 100)))
        await asyncio.sleep(0)
        server.freeze()
        answers = await under_way
        answers += [await log.append(*push(number)) for number in range(100, 150)]
        assert answers[-1].spooled
        assert "takes nothing since" in await log.check()
        server.thaw()
        await until_empty(log)
        assert sorted(await remembered(log)) == list(range(150))
        assert (log.head.position, (await log.heads("", 10))[0].after) == (150, "150")
        assert not (await log.append(*push(150))).spooled


async def test_a_redis_that_is_killed_and_started_again_gets_everything_once(
    tmp_path: Path, server: RedisServer
) -> None:
    """In the order in which it was answered."""
    async with hub_log(server.url, tmp_path / "spool") as log:
        for number in range(300):
            if number % 100 == 50:
                server.kill()
            if number % 100 == 90:
                server.start()
                await until_empty(log)
            await log.append(*push(number))
        await until_empty(log)
        assert await remembered(log) == list(range(300))
        assert log.head.position == 300


# Waits for Redis and appends what is spooled, until it is killed.
REPLAYER = """
import asyncio, sys
from pathlib import Path
from tests.integration.hub.spool.test_redis import hub_log

async def main():
    async with hub_log(sys.argv[1], Path(sys.argv[2])) as log:
        print("open", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_kill_9_while_the_spool_is_emptied_loses_and_doubles_nothing(
    tmp_path: Path, server: RedisServer
) -> None:
    """Whatever had been appended, and whatever was known of it."""
    server.kill()
    spool = tmp_path / "spool"
    async with hub_log(server.url, spool) as log:
        await asyncio.gather(*(log.append(*push(number)) for number in range(3_000)))
    server.start()
    seen = [0]
    for _ in range(3):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", REPLAYER, server.url, str(spool), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        await process.stdout.readline()
        async with asyncio.timeout(DEADLINE_SECONDS):
            while _length(server) < min(seen[-1] + 500, 3_000):
                await asyncio.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        await process.communicate()
        seen.append(_length(server))
    assert seen[1] < 3_000  # else nothing was interrupted
    async with hub_log(server.url, spool) as log:
        await until_empty(log)
        assert await remembered(log) == list(range(3_000))
        assert log.head.position == 3_000


def _length(server: RedisServer) -> int:
    return int(server.do("XLEN", "directcd:{log}:log"))
