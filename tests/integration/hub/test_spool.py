"""The spool: what is answered while the log is away is in the log later, in order, once."""

import asyncio
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from hub.log.base import LogInUse, LogUnavailable
from hub.log.spool import SpooledLog
from hub.log.spool_files import SpoolFull
from hub.log.spool_records import records
from hub.log.values import Appended, DeliveryRecord, NewEvent
from tests.support.away import AwayLog
from tests.support.events import event, record
from tests.support.waiting import DEADLINE_SECONDS, eventually


@asynccontextmanager
async def opened(
    engine: AwayLog, spool: Path, *, limit_bytes: int = 1_000_000_000
) -> AsyncIterator[SpooledLog]:
    """A log with a spool, open."""
    log = SpooledLog(engine, spool, limit_bytes=limit_bytes)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


def named(name: str) -> tuple[DeliveryRecord, list[NewEvent]]:
    """A delivery of a commit of that name, of a repository that has no other."""
    subject = f"github.com/acme/{name}#refs/heads/main"
    moved = replace(event(name), subject=subject, event_id=f"{subject} {name}")
    return replace(record(), delivery_id=name), [moved]


async def deliver(log: SpooledLog, *names: str) -> list[bool]:
    """Append deliveries one after the other; which of them were spooled."""
    return [(await log.append(*named(name))).spooled for name in names]


async def remembered(engine: AwayLog) -> list[str]:
    """The names of all deliveries in the log, oldest first."""
    return [one["delivery_id"] for one in reversed(await engine.deliveries(100_000, None))]


async def until_empty(log: SpooledLog) -> None:
    """Wait until nothing waits any more."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await log.check():
            await asyncio.sleep(0.005)


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


class OneFailure(AwayLog):
    """Fails the first late append, and no other."""

    def __init__(self, directory: Path, failure: Exception) -> None:
        super().__init__(directory, up=False)
        self.failure: Exception | None = failure

    async def append_late(self, delivery: DeliveryRecord, events: Sequence[NewEvent]) -> Appended:
        """Fail once."""
        failure, self.failure = self.failure, None
        if failure:
            raise failure
        return await super().append_late(delivery, events)


@pytest.mark.parametrize("failure", [LogUnavailable("OOM"), RuntimeError("a mistake")], ids=repr)
async def test_two_pushes_of_a_ref_of_which_the_first_fails_stay_in_order(
    tmp_path: Path, failure: Exception
) -> None:
    """Whatever the failure is, both are appended, and the second one is second."""
    engine = OneFailure(tmp_path / "log", failure)
    async with opened(engine, tmp_path / "spool") as log:
        for number in range(2):
            pushed = replace(record(), delivery_id=f"{number}")
            await log.append(pushed, [event(f"{number + 1}", f"{number}")])
        engine.come_back()
        await until_empty(log)
        assert await remembered(engine) == ["0", "1"]
        assert (await engine.heads("github.com/acme/shop", 10))[0].after == "2"


async def test_what_is_being_stored_when_the_last_is_taken_up_is_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is on its way to the disk, the other is still to be written."""
    engine = AwayLog(tmp_path / "log")
    fsync = os.fsync

    def slowly(descriptor: int) -> None:
        time.sleep(0.2)
        fsync(descriptor)

    async with opened(engine, tmp_path / "spool") as log:
        late = []
        for engine.slow_seconds in (0.35, 0.4):  # they fail within the hold
            late.append(asyncio.ensure_future(deliver(log, f"{engine.slow_seconds}")))
            await asyncio.sleep(0)
        engine.slow_late_seconds = 0.25
        engine.go_away()
        engine.slow_seconds = 0.0
        await deliver(log, "a")
        stored = asyncio.ensure_future(deliver(log, "b"))
        await stored
        log._together = 1  # "b" is the last batch
        engine.come_back()
        await eventually(lambda: engine.late == 2)
        monkeypatch.setattr(os, "fsync", slowly)
        engine.refusing = "LOADING"
        assert await asyncio.gather(*late) == [[True], [True]]
        engine.refusing = ""
        await until_empty(log)
        assert await remembered(engine) == ["a", "b", "0.35", "0.4"]


async def test_nobody_is_held_for_long_while_a_busy_ref_is_taken_up(tmp_path: Path) -> None:
    """Each of its pushes takes a round trip; what comes meanwhile is spooled behind them."""
    engine = AwayLog(tmp_path / "log", up=False)
    async with opened(engine, tmp_path / "spool") as log:
        for number in range(100):
            await log.append(record(), [event(f"{number + 1}", f"{number}")])
        engine.slow_late_seconds = 0.03
        engine.come_back()
        longest, number, spooled = 0.0, 100, True
        while spooled:
            start = time.monotonic()
            moved = event(f"{number + 1}", f"{number}")
            spooled = (await log.append(record(), [moved])).spooled
            longest = max(longest, time.monotonic() - start)
            number += 1
            await asyncio.sleep(0.05)
        assert longest < 2.5  # all of them take three seconds and more
        [head] = await engine.heads("github.com/acme/shop", 10)
        assert (head.after, engine.head.position) == (f"{number}", number)


async def test_a_hold_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """Who was held is spooled, behind the others, and the spool is empty in the end."""
    engine = AwayLog(tmp_path / "log", up=False)
    async with opened(engine, tmp_path / "spool") as log:
        await deliver(log, *(f"{n}" for n in range(17)))
        engine.slow_late_seconds = 0.1
        engine.come_back()
        await eventually(lambda: engine.late == 16)
        engine.slow_late_seconds = 3.0
        await eventually(lambda: engine.late == 17)
        start = time.monotonic()
        assert await deliver(log, "held") == [True]
        assert 0.5 < time.monotonic() - start < 2.5  # the append under way takes three
        engine.slow_late_seconds = 0.0
        await until_empty(log)
        assert (await remembered(engine))[-2:] == ["16", "held"]


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


async def test_a_steady_stream_does_not_keep_the_spool_from_becoming_empty(tmp_path: Path) -> None:
    """Deliveries go to the log directly again although there is no moment without any."""
    engine = AwayLog(tmp_path / "log")
    async with opened(engine, tmp_path / "spool") as log:
        engine.go_away()
        sent: dict[int, int] = {}

        async def stream(start: int) -> None:
            sent[start] = 0
            while (await deliver(log, f"{start + sent[start]}")) == [True]:
                sent[start] += 1

        async with asyncio.TaskGroup() as tasks:
            for start in range(0, 3_000_000, 100_000):
                tasks.create_task(stream(start))
            await eventually(lambda: sum(sent.values()) > 300)
            engine.come_back()
        found = [int(name) for name in await remembered(engine)]
        assert len(found) == len(set(found)) == sum(sent.values()) + 30
        for start, spooled in sent.items():  # each stream waited for its answers
            own = [name for name in found if start <= name < start + 100_000]
            assert own == list(range(start, start + spooled + 1))


async def test_an_append_that_fails_late_is_not_left_behind(tmp_path: Path) -> None:
    """It went to the log before that was away, and is spooled while the last is taken up."""
    engine = AwayLog(tmp_path / "log")
    async with opened(engine, tmp_path / "spool") as log:
        engine.slow_seconds, engine.slow_late_seconds = 0.4, 0.25
        slow = asyncio.ensure_future(deliver(log, "slow"))
        await asyncio.sleep(0)
        engine.slow_seconds = 0.0
        engine.go_away()
        assert await deliver(log, "a") == [True]
        engine.come_back()
        await eventually(lambda: engine.late == 1)  # until 0.25 s
        assert await deliver(log, "b") == [True]
        await eventually(lambda: engine.late == 2)  # until 0.5 s
        engine.refusing = "LOADING"
        assert await slow == [True]
        engine.refusing = ""
        await until_empty(log)
        assert await remembered(engine) == ["a", "b", "slow"]


async def test_the_pushes_of_one_ref_stay_in_order_when_the_log_comes_and_goes(
    tmp_path: Path,
) -> None:
    """The ref's head is the newest push, whatever failed in between."""
    engine = AwayLog(tmp_path / "log")
    async with opened(engine, tmp_path / "spool") as log:
        for number in range(200):
            if number % 20 == 0:
                engine.go_away()
            if number % 20 == 10:
                engine.come_back()
            await log.append(record(), [event(f"{number + 1}", f"{number}")])
        await until_empty(log)
        [head] = await engine.heads("github.com/acme/shop", 10)
        assert (head.after, engine.head.position) == ("200", 200)


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


async def test_a_full_disk_refuses_and_heals(tmp_path: Path) -> None:
    """A limit on this process's files stands for the disk; nothing half-written stays."""
    engine = AwayLog(tmp_path / "log", up=False)
    async with opened(engine, tmp_path / "spool") as log:
        await deliver(log, "a")
        [segment] = (tmp_path / "spool").glob("*.spool")
        whole = segment.stat().st_size
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (whole + 50, hard))
        try:
            with pytest.raises(LogUnavailable, match="cannot be used: File too large"):
                await deliver(log, "b")
            with pytest.raises(LogUnavailable):  # and it is said before a delivery comes
                await log.check()
            assert segment.stat().st_size == whole
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await deliver(log, "c")
        engine.come_back()
        await until_empty(log)
        assert await remembered(engine) == ["a", "c"]


async def test_a_delivery_that_is_not_understood_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another version wrote it, perhaps; the others are appended, and `check` names the file."""
    engine = AwayLog(tmp_path / "log", up=False)
    aside = tmp_path / "spool" / "unreadable.spool-records"
    async with opened(engine, tmp_path / "spool") as log:
        await deliver(log, "a")
        await log._disk.store(b"from the future")
        await deliver(log, "b")
        engine.come_back()
        await eventually(lambda: engine.late == 2 and not log._spooling.is_set())
        assert await remembered(engine) == ["a", "b"]
        assert await log.check() == f"{aside} has deliveries that this version cannot read"
        with aside.open("rb") as file:
            size = aside.stat().st_size
            assert [payload for payload, *_ in records(file, 0, size)] == [b"from the future"]
        aside.unlink()
        assert await log.check() == ""
    [error] = [one for one in caplog.records if "set aside" in one.message]
    assert vars(error)["file"] == str(aside)


async def test_a_delivery_of_an_older_version_is_understood(tmp_path: Path) -> None:
    """What it did not know has its default, what this one does not know is nothing."""
    engine = AwayLog(tmp_path / "log", up=False)
    async with opened(engine, tmp_path / "spool") as log:
        delivery, [moved] = named("a")
        older = msgspec.to_builtins(delivery) | {"forgotten": 1}
        change = msgspec.to_builtins(moved, builtin_types=(bytes,))
        del older["signed_by"], change["unsaid"]
        await log.check()  # it is away: the spool is looked at
        await log._disk.store(msgspec.msgpack.encode((older, [change])))
        engine.come_back()
        await until_empty(log)
        assert await remembered(engine) == ["a"]


async def test_a_full_spool_refuses_until_the_log_is_back(tmp_path: Path) -> None:
    """It may have so much of the disk and no more; `check` says so before the last byte."""
    engine = AwayLog(tmp_path / "log", up=False)
    async with opened(engine, tmp_path / "spool", limit_bytes=70_000) as log:
        await log.check()
        await deliver(log, *(f"{n}" for n in range(10)))
        with pytest.raises(SpoolFull, match="has reached 70000 bytes"):
            await log.check()
        with pytest.raises(SpoolFull, match="has reached 70000 bytes"):
            await deliver(log, *(f"{n}" for n in range(10, 1000)))
        engine.come_back()
        await eventually(lambda: not log._spooling.is_set())
        assert await log.check() == ""
        assert await deliver(log, "again") == [False]


async def test_concurrent_deliveries_share_an_fsync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand callers at once need far fewer than a thousand."""
    synced = 0
    fsync = os.fsync

    def count(descriptor: int) -> None:
        nonlocal synced
        synced += 1
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", count)
    async with opened(AwayLog(tmp_path / "log", up=False), tmp_path / "spool") as log:
        await asyncio.gather(*(deliver(log, f"{n}") for n in range(1_000)))
    assert 0 < synced < 50


# Spools until it is killed, printing the names of what was answered.
SPOOLER = """
import asyncio, sys
from pathlib import Path
from hub.log.spool import SpooledLog
from tests.integration.hub.test_spool import AwayLog, deliver

async def main():
    here = Path(sys.argv[1])
    log = SpooledLog(AwayLog(here / "log", up=False), here / "spool")
    await log.open()
    number = 0
    while True:
        names = [f"{sys.argv[2]}-{number + n}" for n in range(7)]
        await asyncio.gather(*(deliver(log, name) for name in names))
        number += 7
        print(*names, flush=True)

asyncio.run(main())
"""


async def test_what_was_answered_survives_kill_9(tmp_path: Path) -> None:
    """Again and again, whatever was being written."""
    answered: list[str] = []
    for round_ in range(3):
        arguments = (sys.executable, "-c", SPOOLER, str(tmp_path), str(round_))
        process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        text = b"".join([await process.stdout.readline() for _ in range(20 + round_)])
        os.kill(process.pid, signal.SIGKILL)
        text += await process.stdout.read()
        await process.wait()
        answered += text[: text.rindex(b"\n")].decode().split()
    engine = AwayLog(tmp_path / "log")
    async with opened(engine, tmp_path / "spool") as log:
        await until_empty(log)
        found = await remembered(engine)
    assert set(answered) <= set(found)
    assert len(set(found)) == len(found) <= len(answered) + 3 * 7
    for round_ in range(3):  # a group of seven has no order, the groups have
        groups = [int(n) // 7 for r, n in (name.split("-") for name in found) if r == f"{round_}"]
        assert groups == sorted(groups)
