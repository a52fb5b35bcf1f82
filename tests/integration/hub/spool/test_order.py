"""Order while the spool is taken up, and how long anybody is held for it."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hub.log.base import LogUnavailable
from hub.log.values import Appended, DeliveryRecord, NewEvent
from tests.support.away import AwayLog
from tests.support.events import event, record
from tests.support.spooling import deliver, opened, remembered, until_empty
from tests.support.waiting import eventually


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
        assert longest < 2.9  # all of them take three seconds and more
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
        engine.slow_late_seconds = 6.0
        await eventually(lambda: engine.late == 17)
        start = time.monotonic()
        assert await deliver(log, "held") == [True]
        assert 0.5 < time.monotonic() - start < 5  # the append under way takes six
        engine.slow_late_seconds = 0.0
        await until_empty(log)
        assert (await remembered(engine))[-2:] == ["16", "held"]


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
