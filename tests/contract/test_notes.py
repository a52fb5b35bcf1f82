"""What every engine promises about notes."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from secrets import token_hex

import pytest

from hub.log.base import Log, LogUnavailable
from hub.log.redis import RedisLog
from hub.log.redis_address import parse_redis_url
from hub.log.spool import SpooledLog
from hub.log.sqlite import SqliteLog
from hub.log.sqlite_notes import write_note
from tests.support.redis_servers import RedisServer, cluster, cluster_url, single

Again = Callable[[], Log]
"""Makes the same log once more, as a hub does that starts again."""

ANYTHING = {"etag": 'W/"1"', "keys": ["h/ä", "h/b"], "deep": {"none": None, "yes": True}, "n": 2.5}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Callable[[], str]]]:
    """The addresses of a single Redis and of a Cluster, each started when a test asks for it."""
    with ExitStack() as stack:

        def one() -> str:
            return stack.enter_context(single(tmp_path_factory.mktemp("redis"))).url

        def sharded() -> str:
            return cluster_url(stack.enter_context(cluster(tmp_path_factory.mktemp("cluster"))))

        yield {"redis": cache(one), "cluster": cache(sharded)}


@pytest.fixture(params=["sqlite", "redis", "cluster", "spool"])
def again(
    request: pytest.FixtureRequest, tmp_path: Path, servers: dict[str, Callable[[], str]]
) -> Again:
    """A log of each kind."""
    if request.param == "sqlite":
        return lambda: SqliteLog(tmp_path)
    url = servers["redis" if request.param == "spool" else request.param]()
    address = parse_redis_url(f"{url}?prefix=t{token_hex(4)}")
    if request.param == "spool":
        return lambda: SpooledLog(RedisLog(address), tmp_path / "spool")
    return lambda: RedisLog(address)


@pytest.fixture
async def log(again: Again) -> AsyncIterator[Log]:
    """It, open and empty."""
    opened = again()
    await opened.open()
    yield opened
    await opened.close()


async def test_what_is_noted_is_found_whole_and_under_its_name_alone(log: Log) -> None:
    """Whatever JSON holds; a name that only begins so has nothing."""
    await log.note("list", ANYTHING)
    assert await log.noted("list") == ANYTHING
    assert await log.noted("lis") is None
    assert await log.noted("list:") is None


async def test_a_note_replaces_the_one_before(log: Log) -> None:
    """Nothing of that is left."""
    await log.note("a", {"one": 1})
    await log.note("a", {})
    assert await log.noted("a") == {}
    assert await log.notes("") == {"a": {}}


async def test_nothing_is_left_of_what_is_forgotten(log: Log) -> None:
    """Its neighbours are; to forget what is not there is no error."""
    for name in ("a", "ab"):
        await log.note(name, {"name": name})
    for name in ("a", "never"):
        await log.note(name, None)
    assert await log.noted("a") is None
    assert await log.notes("") == {"ab": {"name": "ab"}}


@pytest.mark.parametrize("prefix", ["", "a*", "a_", "a%", "a?", "[a]", "a\\", "ü", "a'", "é\u0301"])
async def test_notes_are_found_by_the_beginning_of_their_name(log: Log, prefix: str) -> None:
    """In order, and what means something in a pattern means itself."""
    names = ["a*1", "a_1", "a%1", "a?1", "[a]1", "a\\1", "a1", "A*1", "ü1", "ü", "u", "a'1", "aé"]
    for name in names:
        await log.note(name, {"name": name})
    expected = sorted(name for name in names if name.startswith(prefix))
    assert await log.notes(prefix) == {name: {"name": name} for name in expected}
    assert list(await log.notes(prefix)) == expected


async def test_many_notes_are_found_all(log: Log) -> None:
    """More than one step of a walk through them."""
    for number in range(2_500):
        await log.note(f"r:{number:04}", {"number": number})
    await log.note("s", {})
    found = await log.notes("r:")
    assert [value["number"] for value in found.values()] == list(range(2_500))


async def test_notes_outlive_the_process(again: Again) -> None:
    """A hub that starts again has them at once."""
    for expected in (None, {"n": 0}, {"n": 1}):
        log = again()
        await log.open()
        assert await log.noted("a") == expected
        await log.note("a", {"n": 0 if expected is None else 1})
        await log.close()


async def test_a_closed_log_takes_no_notes(again: Again) -> None:
    """Nobody is told that something is remembered which is not."""
    log = again()
    await log.open()
    await log.close()
    with pytest.raises(LogUnavailable):
        await log.note("a", {})


async def test_what_others_put_into_redis_is_no_note(tmp_path: Path) -> None:
    """It hides nothing of what is one."""
    with single(tmp_path) as server:
        log = RedisLog(parse_redis_url(server.url))
        await log.open()
        await log.note("good", {"n": 1})
        spoil(server)
        assert await log.notes("") == {"good": {"n": 1}}
        assert [await log.noted(f"bad{number}") for number in range(5)] == [None] * 5
        await log.close()


def spoil(server: RedisServer) -> None:
    """Put into the hash what no hub would."""
    for number, value in enumerate(("", "[1]", "{", '"a"', b"\xff")):
        server.do("HSET", "directcd:{log}:notes", f"bad{number}", value)
    server.do("HSET", "directcd:{log}:notes", b"\xff\xfe", "{}")


async def test_what_others_put_into_the_file_is_no_note(tmp_path: Path) -> None:
    """As in Redis."""
    log = SqliteLog(tmp_path)
    await log.open()
    rows = [("blob", b"\xff"), ("list", "[]"), ("text", "x")]
    await log._writer.run(lambda c: c.executemany("INSERT INTO notes VALUES (?, ?)", rows))
    await log._writer.run(lambda c: write_note(c, "good", {"n": 1}))
    assert await log.notes("") == {"good": {"n": 1}}
    assert await log.noted("list") is None
    await log.close()
