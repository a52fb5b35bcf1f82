"""What is answered while the log is away, or refuses, is in the log later, once."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.log.base import LogInUse, LogUnavailable
from hub.log.spool import SpooledLog
from tests.support.away import AwayLog
from tests.support.spooling import deliver, named, opened, remembered, until_empty
from tests.support.waiting import eventually


async def test_while_the_log_is_there_nothing_is_spooled(tmp_path: Path) -> None:
    """The answer is the log's own, and the disk is left alone."""
    engine = AwayLog(tmp_path / "log")
    async with opened(engine, tmp_path / "spool") as log:
        appended = await log.append(*named("a"))
        assert (appended.delivery, appended.spooled, log.head) == (1, False, engine.head)
        assert await log.check() == ""
    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["lock"]


async def test_what_comes_while_the_log_is_away_is_appended_in_order_later(tmp_path: Path) -> None:
    """Before anything that came after it, and with the time at which it was received."""
    engine = AwayLog(tmp_path / "log")
    async with opened(engine, tmp_path / "spool") as log:
        assert await deliver(log, "a") == [False]
        engine.go_away()
        assert await deliver(log, "b", "c") == [True, True]
        engine.come_back()
        await deliver(log, "d")
        await until_empty(log)
        assert await deliver(log, "e") == [False]
        assert await remembered(engine) == ["a", "b", "c", "d", "e"]
        assert [path.name for path in (tmp_path / "spool").iterdir()] == ["lock"]


async def test_a_log_that_is_away_says_since_when_and_how_much_waits(tmp_path: Path) -> None:
    """In `check`, without any delivery, too; each outage has its own time."""
    engine = AwayLog(tmp_path / "log", up=False)
    engine.away_since = datetime(2026, 5, 1, 12, 3, tzinfo=UTC)
    async with opened(engine, tmp_path / "spool") as log:
        assert "takes nothing since 2026-05-01T12:03:00+00:00 (connection refused); 0 d" in (
            await log.check()
        )
        await deliver(log, "a", "b")
        degraded = await log.check()
        assert "; 2 deliveries (" in degraded
        assert degraded.endswith(f" bytes) wait in {tmp_path / 'spool'}")
        engine.come_back()
        await until_empty(log)
        engine.go_away()
        engine.away_since = datetime(2026, 5, 1, 13, tzinfo=UTC)
        assert "since 2026-05-01T13:00:00+00:00" in await log.check()


async def test_what_an_earlier_process_left_says_since_when(tmp_path: Path) -> None:
    """Before anything was tried."""
    async with opened(AwayLog(tmp_path / "log", up=False), tmp_path / "spool") as log:
        await deliver(log, "a")
    engine = AwayLog(tmp_path / "log", up=False)
    engine.away_since = datetime(2026, 5, 1, 14, tzinfo=UTC)
    async with opened(engine, tmp_path / "spool") as log:
        assert "takes nothing since 2026-05-01T14:00:00+00:00" in await log.check()


async def test_each_refusal_has_its_own_time(tmp_path: Path) -> None:
    """A second refusal has its own time, and a past one is no trouble any more."""
    engine = AwayLog(tmp_path / "log")
    hour = 12
    clock = lambda: datetime(2026, 5, 1, hour, tzinfo=UTC)  # noqa: E731
    log = SpooledLog(engine, tmp_path / "spool", clock=clock)
    await log.open()
    for hour in (12, 13):
        engine.refusing = "ERR no"
        await deliver(log, f"{hour}")
        assert f"Redis takes nothing since 2026-05-01T{hour}:00:00+00:00 (ERR no); 1 d" in (
            await log.check()
        )
        engine.refusing = ""
        await until_empty(log)
    await log.close()


async def test_an_append_that_was_done_but_not_answered_is_not_done_twice(tmp_path: Path) -> None:
    """The delivery's nonce tells."""
    engine = AwayLog(tmp_path / "log")
    async with opened(engine, tmp_path / "spool") as log:
        engine.forgets_to_answer = True
        assert await deliver(log, "a") == [True]
        engine.forgets_to_answer = False
        await until_empty(log)
        assert (await remembered(engine), engine.late) == (["a"], 1)


async def test_a_log_that_refuses_for_a_while_is_tried_again(tmp_path: Path) -> None:
    """It is there, and takes nothing."""
    engine = AwayLog(tmp_path / "log")
    async with opened(engine, tmp_path / "spool") as log:
        engine.refusing = "OOM command not allowed"
        assert await deliver(log, "a", "b") == [True, True]
        await eventually(lambda: engine.late)
        assert "OOM command not allowed" in await log.check()
        engine.refusing = ""
        await until_empty(log)
        assert await remembered(engine) == ["a", "b"]


async def test_a_restart_takes_up_what_waited(tmp_path: Path) -> None:
    """Before anything new goes to the log directly."""
    async with opened(AwayLog(tmp_path / "log", up=False), tmp_path / "spool") as log:
        await deliver(log, "a", "b")
    engine = AwayLog(tmp_path / "log")
    async with opened(engine, tmp_path / "spool") as log:
        await deliver(log, "c")
        await until_empty(log)
        assert await remembered(engine) == ["a", "b", "c"]


async def test_closing_is_quick_and_loses_nothing(tmp_path: Path) -> None:
    """With the log away, and thousands waiting."""
    engine = AwayLog(tmp_path / "log", up=False)
    async with opened(engine, tmp_path / "spool") as log:
        await asyncio.gather(*(deliver(log, f"{n}") for n in range(2_000)))
        start = time.monotonic()
    assert time.monotonic() - start < 2
    engine = AwayLog(tmp_path / "log")
    async with opened(engine, tmp_path / "spool") as log:
        await until_empty(log)
        assert await remembered(engine) == [f"{n}" for n in range(2_000)]


async def test_a_closed_log_takes_nothing(tmp_path: Path) -> None:
    """Not on the disk either: nobody would say when."""
    engine = AwayLog(tmp_path / "log", up=False)
    async with opened(engine, tmp_path / "spool") as log:
        pass
    with pytest.raises(LogUnavailable, match="closed"):
        await deliver(log, "a")


async def test_a_second_hub_on_the_same_spool_is_refused(tmp_path: Path) -> None:
    """And leaves it usable."""
    async with opened(AwayLog(tmp_path / "log"), tmp_path / "spool"):
        with pytest.raises(LogInUse, match="a data directory of its own"):
            await SpooledLog(AwayLog(tmp_path / "other"), tmp_path / "spool").open()
    async with opened(AwayLog(tmp_path / "log"), tmp_path / "spool"):
        pass


async def test_a_log_that_does_not_open_leaves_the_spool_free(tmp_path: Path) -> None:
    """Whoever tries again finds no lock."""
    async with opened(AwayLog(tmp_path / "log"), tmp_path / "spool"):
        with pytest.raises(LogInUse):
            await SpooledLog(AwayLog(tmp_path / "log"), tmp_path / "second").open()
    async with opened(AwayLog(tmp_path / "log"), tmp_path / "second"):
        pass


async def test_a_caller_that_goes_away_does_not_take_its_delivery_along(tmp_path: Path) -> None:
    """What is on its way to the disk arrives, and the others are answered."""
    engine = AwayLog(tmp_path / "log", up=False)
    async with opened(engine, tmp_path / "spool") as log:
        gone, stays = (asyncio.ensure_future(deliver(log, name)) for name in ("a", "b"))
        await eventually(lambda: log._disk.accepted == 2)
        gone.cancel()
        assert await stays == [True]
        engine.come_back()
        await until_empty(log)
        assert await remembered(engine) == ["a", "b"]
