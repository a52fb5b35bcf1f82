"""What every engine promises about callbacks: leases, progress, dead letters."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from secrets import token_hex

import pytest

from hub.log.base import Log
from hub.log.redis import RedisLog
from hub.log.redis_address import parse_redis_url
from hub.log.sqlite import SqliteLog
from hub.log.values import DeadLetter
from tests.support.redis_servers import single

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LETTER = DeadLetter(0, "sub_1", "1-2-00000a", b'{"id":"1-2-00000a"}', "answered 500", NOW)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """The address of an empty Redis, started when a test asks for it."""
    with ExitStack() as stack:
        yield cache(lambda: stack.enter_context(single(tmp_path_factory.mktemp("redis"))).url)


@pytest.fixture(params=["sqlite", "redis"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, redis_url: Callable[[], str]
) -> AsyncIterator[Log]:
    """An open, empty log."""
    engine: Log = SqliteLog(tmp_path / "log")
    if request.param == "redis":
        engine = RedisLog(parse_redis_url(f"{redis_url()}?prefix=t{token_hex(4)}"))
    await engine.open()
    yield engine
    await engine.close()


async def test_a_lease_is_one_owners_until_it_ends(store: Log) -> None:
    """Its owner renews it under the same fence; who comes after has a higher one."""
    first = await store.lease("sub_1", "a", 0.2)
    assert first is not None
    assert await store.lease("sub_1", "b", 10) is None
    assert await store.lease("sub_1", "a", 0.1) == first
    await asyncio.sleep(0.15)
    second = await store.lease("sub_1", "b", 10)
    assert second is not None
    assert second.fence > first.fence
    assert await store.lease("sub_2", "a", 10) is not None


async def test_a_lease_that_is_given_back_can_be_taken_at_once(store: Log) -> None:
    """By anybody; giving it back again later takes nothing away."""
    first = await store.lease("sub_1", "a", 10)
    assert first is not None
    await store.release(first)
    second = await store.lease("sub_1", "b", 10)
    assert second is not None
    assert second.fence > first.fence
    await store.release(first)
    assert await store.lease("sub_1", "c", 10) is None


async def test_progress_is_what_the_newest_holder_saved(store: Log) -> None:
    """Who lost the lease to somebody else saves nothing any more."""
    assert await store.progress("sub_1") is None
    first = await store.lease("sub_1", "a", 0.05)
    assert first is not None
    assert await store.save_progress(first, "sub_1", {"cursor": "1"})
    await asyncio.sleep(0.1)
    assert await store.save_progress(first, "sub_1", {"cursor": "2"})  # nobody else wanted it
    second = await store.lease("sub_1", "b", 10)
    assert second is not None
    assert not await store.save_progress(first, "sub_1", {"cursor": "3"})
    assert await store.progress("sub_1") == {"cursor": "2"}
    assert await store.save_progress(second, "sub_1", {"cursor": "4"})
    assert await store.progress("sub_1") == {"cursor": "4"}


async def test_a_forgotten_subscription_takes_its_dead_letters_along(store: Log) -> None:
    """Those of others stay."""
    lease = await store.lease("sub_1", "a", 10)
    assert lease is not None
    await store.save_progress(lease, "sub_1", {"cursor": "1"})
    await store.bury(LETTER)
    other = await store.bury(replace(LETTER, subscription_id="sub_2"))
    await store.forget_progress("sub_1")
    assert await store.progress("sub_1") is None
    assert [one.number for one in await store.dead_letters(10, None)] == [other]
    await store.forget_progress("sub_never")


async def test_dead_letters_come_newest_first_and_whole(store: Log) -> None:
    """A page continues behind the number it ended with."""
    numbers = [await store.bury(replace(LETTER, reason=f"r{number}")) for number in range(3)]
    assert numbers == sorted(set(numbers))
    newest = await store.dead_letters(2, None)
    assert [one.reason for one in newest] == ["r2", "r1"]
    assert newest[0] == replace(LETTER, number=numbers[2], reason="r2")
    assert [one.reason for one in await store.dead_letters(2, newest[-1].number)] == ["r0"]
    assert await store.dead_letter(numbers[0]) == replace(LETTER, number=numbers[0], reason="r0")


async def test_a_removed_dead_letter_is_gone(store: Log) -> None:
    """Once: the second time it was not known."""
    number = await store.bury(LETTER)
    assert await store.remove_dead_letter(number)
    assert not await store.remove_dead_letter(number)
    assert await store.dead_letter(number) is None
    assert await store.bury(LETTER) > number


async def test_the_newest_dead_letters_are_kept(store: Log) -> None:
    """Ten thousand; a receiver that is away for ever does not fill the disk."""
    numbers: list[int] = []
    for _ in range(10_001 // 500 + 1):
        numbers += await asyncio.gather(*(store.bury(LETTER) for _ in range(500)))
    assert await store.dead_letter(max(numbers)) is not None
    assert await store.dead_letter(max(numbers) - 9_999) is not None
    assert await store.dead_letter(max(numbers) - 10_000) is None


async def test_progress_outlives_the_process(tmp_path: Path) -> None:
    """And its lease does not: a hub that starts again goes on at once."""
    for owner in ("first", "second"):
        log = SqliteLog(tmp_path)
        await log.open()
        lease = await log.lease("sub_1", owner, 3600)
        assert lease is not None
        if owner == "second":
            assert await log.progress("sub_1") == {"cursor": "first"}
        await log.save_progress(lease, "sub_1", {"cursor": owner})
        await log.close()
