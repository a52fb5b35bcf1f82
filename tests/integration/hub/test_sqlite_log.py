"""The embedded log as a file: restart, two processes, a disk that is full."""

import asyncio
import os
import resource
import signal
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.log.base import LogInUse, LogUnavailable
from hub.log.sqlite import SqliteLog
from hub.log.values import DeliveryRecord, Gap
from tests.contract.test_log import append
from tests.support.events import event, record

# Appends until it is killed, printing each position once it is acknowledged.
APPENDER = """
import asyncio, sys
from pathlib import Path
from hub.log.sqlite import SqliteLog
from tests.support.events import event, record

async def main():
    log = SqliteLog(Path(sys.argv[1]))
    await log.open()
    while True:
        appended = await log.append(record(), [event(str(log.head.position))])
        print(appended.cursors[0].position, flush=True)

asyncio.run(main())
"""


async def test_an_acknowledged_event_survives_kill_9(tmp_path: Path) -> None:
    """Whatever was acknowledged before SIGKILL is read after it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", APPENDER, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    acknowledged = [int(await process.stdout.readline()) for _ in range(200)]
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += [int(line) for line in (await process.stdout.read()).splitlines()]
    await process.wait()
    log = SqliteLog(tmp_path)
    await log.open()
    assert log.head.position >= acknowledged[-1] >= 200
    await log.close()


async def test_a_reopened_log_continues_its_epoch_and_positions(tmp_path: Path) -> None:
    """A cursor from before a restart is good after it."""
    log = SqliteLog(tmp_path)
    await log.open()
    await append(log, event("a"))
    cursor = log.head
    await log.close()
    again = SqliteLog(tmp_path)
    await again.open()
    await append(again, event("b", "a"))
    events = await again.read(cursor, 10)
    assert isinstance(events, list)
    assert [e.cursor.position for e in events] == [2]
    await again.close()


# As the first release made it.
FIRST_DELIVERIES = """
CREATE TABLE deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, received_at REAL NOT NULL, provider TEXT NOT NULL,
    source TEXT NOT NULL, delivery_id TEXT NOT NULL, event TEXT NOT NULL, verdict TEXT NOT NULL,
    explanation TEXT NOT NULL
);
INSERT INTO deliveries VALUES (7, 1.0, 'github', 'main', 'guid', 'push', 'matched', '{}');
"""


async def test_a_file_of_the_first_release_is_opened_and_written_to(tmp_path: Path) -> None:
    """What it has not got is added once, and what it has stays."""
    old = sqlite3.connect(tmp_path / "log.sqlite3")
    old.executescript(FIRST_DELIVERIES)
    old.close()
    for number in (8, 9):
        log = SqliteLog(tmp_path)
        await log.open()
        remembered = await log.delivery(7)
        assert remembered is not None
        assert (remembered["delivery_id"], remembered["signed_by"]) == ("guid", "")
        assert (await log.append(record(), [])).delivery == number
        await log.close()


async def test_a_file_of_a_later_release_is_refused(tmp_path: Path) -> None:
    """Nobody knows what its tables mean."""
    later = sqlite3.connect(tmp_path / "log.sqlite3")
    later.execute("PRAGMA user_version = 1000")
    later.close()
    with pytest.raises(LogUnavailable, match="later directcd"):
        await SqliteLog(tmp_path).open()


async def test_a_second_hub_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    """The embedded log serves one process, and says so."""
    log = SqliteLog(tmp_path)
    await log.open()
    with pytest.raises(LogInUse, match="in use by another hub"):
        await SqliteLog(tmp_path).open()
    await log.close()
    again = SqliteLog(tmp_path)
    await again.open()
    await again.close()


async def test_a_full_disk_fails_the_append_and_heals(tmp_path: Path) -> None:
    """SQLite's own page limit stands for the disk: nothing stored, then everything again."""
    log = SqliteLog(tmp_path)
    await log.open()
    pages = (await log._writer.run(lambda c: c.execute("PRAGMA page_count").fetchone()))[0]
    await log._writer.run(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    big = DeliveryRecord(
        datetime.now(UTC), "github", "main", "", "push", "", {"x": "y" * 100_000}, {}
    )
    with pytest.raises(LogUnavailable, match="full"):
        await log.append(big, [event("a")])
    assert log.head.position == 0
    await log._writer.run(lambda c: c.execute("PRAGMA max_page_count = 1000000").fetchone())
    assert not (await log.append(big, [event("a")])).duplicate
    await log.close()


async def test_a_disk_without_room_is_told_before_a_delivery_comes(tmp_path: Path) -> None:
    """What is there can still be written over; that proves nothing."""
    log = SqliteLog(tmp_path)
    await log.open()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert await log.check() == ""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(LogUnavailable, match="File too large"):
            await log.check()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert await log.check() == ""
    await log.close()


async def test_an_event_that_no_hub_wrote_is_a_gap(tmp_path: Path) -> None:
    """Whoever reads on is told to look at everything, and goes on behind it."""
    log = SqliteLog(tmp_path)
    await log.open()
    beginning = log.head
    await append(log, event("a"))
    await log._writer.run(lambda c: c.execute("UPDATE events SET message = x'00'"))
    assert await log.read(beginning, 10) == Gap("the log holds an entry that no hub wrote")
    await log.close()


async def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    """A person must decide that what it held is lost."""
    log = SqliteLog(tmp_path)
    await log.open()
    await append(log, event("a"))
    await log.close()
    (tmp_path / "log.sqlite3").write_bytes(b"x" * 100_000)
    with pytest.raises(LogUnavailable, match="move it away"):
        await SqliteLog(tmp_path).open()


async def test_what_is_answered_is_synced(tmp_path: Path) -> None:
    """G1: a 2xx means that the push survives a power cut."""
    log = SqliteLog(tmp_path)
    await log.open()
    [level] = await log._writer.run(lambda c: c.execute("PRAGMA synchronous").fetchone())
    assert level == 2  # FULL
    await log.close()


async def test_concurrent_appends_share_commits(tmp_path: Path) -> None:
    """A hundred callers at once need far fewer than a hundred commits."""
    log = SqliteLog(tmp_path)
    await log.open()
    commits = 0

    def count(statement: str) -> None:
        nonlocal commits
        commits += statement == "COMMIT"

    await log._writer.run(lambda c: c.set_trace_callback(count))
    await asyncio.gather(*(append(log, event(str(n))) for n in range(100)))
    assert log.head.position == 100
    assert commits < 50
    await log.close()
