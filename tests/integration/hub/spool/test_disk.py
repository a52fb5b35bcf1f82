"""What the disk takes, what it gives back, and what it does not understand."""

import asyncio
import os
import resource
import signal
import sys
from pathlib import Path

import msgspec
import pytest

from hub.log.base import LogUnavailable
from hub.log.spool_files import SpoolFull
from hub.log.spool_records import records
from tests.support.away import AwayLog
from tests.support.spooling import deliver, named, opened, remembered, until_empty
from tests.support.waiting import eventually


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
        older = msgspec.to_builtins(delivery, builtin_types=(bytes,)) | {"forgotten": 1}
        change = msgspec.to_builtins(moved, builtin_types=(bytes,))
        del older["signed_by"], older["details"], older["payload"], change["unsaid"]
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
from tests.support.away import AwayLog
from tests.support.spooling import deliver

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
