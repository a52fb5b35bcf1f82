"""
Callbacks in the embedded log: leases, progress and dead letters.

The statements are plain functions over a connection, as in `sqlite_events`. The leases are in
memory: one process has the log, so nobody else could hold one, and its end frees all of them.
"""

import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar

from hub.log.sqlite_reader import Reader
from hub.log.sqlite_writer import GroupCommitWriter
from hub.log.values import DeadLetter, Lease

T = TypeVar("T")

KEEP_DEAD_LETTERS = 10_000

_LETTER = "SELECT number, subscription_id, cursor, message, reason, buried_at FROM dead_letters"


@dataclass(frozen=True, slots=True)
class _Held:
    lease: Lease
    until: float


class Leases:
    """Who may do what alone, within this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._fences = count(1)
        self._held: dict[str, _Held] = {}

    def take(self, name: str, owner: str, seconds: float) -> Lease | None:
        """Take or renew a lease; None while somebody else has it."""
        now = self._clock()
        held = self._held.get(name)
        if held is not None and held.lease.owner != owner and held.until > now:
            return None
        renewed = held is not None and held.lease.owner == owner and held.until > now
        lease = held.lease if held and renewed else Lease(name, owner, next(self._fences))
        self._held[name] = _Held(lease, now + seconds)
        return lease

    def release(self, lease: Lease) -> None:
        """Give a lease back; the fence stays, so that its holder's late writes are still seen."""
        if self.is_newest(lease):
            self._held[lease.name] = _Held(lease, 0.0)

    def is_newest(self, lease: Lease) -> bool:
        """Whether nobody has taken it since."""
        held = self._held.get(lease.name)
        return held is None or held.lease.fence <= lease.fence

    def forget(self, name: str) -> None:
        """Nobody will ask for this lease again."""
        self._held.pop(name, None)


def read_progress(connection: sqlite3.Connection, subscription_id: str) -> dict[str, Any] | None:
    """What was last saved."""
    row = connection.execute(
        "SELECT value FROM callback_progress WHERE subscription_id = ?", (subscription_id,)
    ).fetchone()
    value: dict[str, Any] | None = None if row is None else json.loads(row[0])
    return value


def save_progress(
    connection: sqlite3.Connection, subscription_id: str, value: dict[str, Any]
) -> None:
    """Save, replacing what was there."""
    connection.execute(
        "INSERT OR REPLACE INTO callback_progress VALUES (?, ?)",
        (subscription_id, json.dumps(value)),
    )


def forget_progress(connection: sqlite3.Connection, subscription_id: str) -> None:
    """Forget a subscription's progress and its dead letters."""
    for table in ("callback_progress", "dead_letters"):
        connection.execute(f"DELETE FROM {table} WHERE subscription_id = ?", (subscription_id,))  # noqa: S608 - two known names


def bury(connection: sqlite3.Connection, letter: DeadLetter) -> int:
    """Keep a dead letter, and of all of them the newest."""
    cursor = connection.execute(
        "INSERT INTO dead_letters (subscription_id, cursor, message, reason, buried_at)"
        " VALUES (?, ?, ?, ?, ?)",
        (
            letter.subscription_id,
            letter.cursor,
            letter.message,
            letter.reason,
            letter.buried_at.timestamp(),
        ),
    )
    number = int(cursor.lastrowid or 0)
    connection.execute("DELETE FROM dead_letters WHERE number <= ?", (number - KEEP_DEAD_LETTERS,))
    return number


def read_dead_letters(
    connection: sqlite3.Connection, limit: int, before: int | None
) -> list[DeadLetter]:
    """The newest dead letters, newest first, older than number `before`."""
    rows = connection.execute(
        f"{_LETTER} WHERE number < ? ORDER BY number DESC LIMIT ?",
        (before if before is not None else 2**62, limit),
    )
    return [_letter(row) for row in rows]


def read_dead_letter(connection: sqlite3.Connection, number: int) -> DeadLetter | None:
    """One dead letter, or None."""
    row = connection.execute(f"{_LETTER} WHERE number = ?", (number,)).fetchone()
    return None if row is None else _letter(row)


def remove_dead_letter(connection: sqlite3.Connection, number: int) -> bool:
    """Forget a dead letter; False when it was not known."""
    found = connection.execute("DELETE FROM dead_letters WHERE number = ?", (number,))
    return found.rowcount > 0


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    number, subscription_id, cursor, message, reason, buried_at = row
    return DeadLetter(
        number, subscription_id, cursor, message, reason, datetime.fromtimestamp(buried_at, UTC)
    )


class SqliteCallbacks:
    """The `CallbackStore` half of the embedded log, which says how its file is read and written."""

    _writer: GroupCommitWriter
    _following: Reader

    def __init__(self) -> None:
        self._leases = Leases()

    async def lease(self, name: str, owner: str, seconds: float) -> Lease | None:
        """Take or renew a lease for `seconds` from now; None while somebody else has it."""
        return self._leases.take(name, owner, seconds)

    async def release(self, lease: Lease) -> None:
        """Give a lease back early; one that is no longer held is no error."""
        self._leases.release(lease)

    async def progress(self, subscription_id: str) -> dict[str, Any] | None:
        """What was last saved for a subscription."""
        return await self._following.ask(lambda c: read_progress(c, subscription_id))

    async def save_progress(
        self, lease: Lease, subscription_id: str, value: dict[str, Any]
    ) -> bool:
        """Save unless somebody with a later fence has the lease; whether it was saved."""
        # The writer keeps the order of calls: who is asked first here is written first.
        if not self._leases.is_newest(lease):
            return False
        await self._writer.run(lambda c: save_progress(c, subscription_id, value))
        return True

    async def forget_progress(self, subscription_id: str) -> None:
        """Forget a subscription's progress and its dead letters."""
        self._leases.forget(subscription_id)
        await self._writer.run(lambda c: forget_progress(c, subscription_id))

    async def bury(self, letter: DeadLetter) -> int:
        """Keep a dead letter (the newest 10,000 are kept); its number."""
        return await self._writer.run(lambda c: bury(c, letter))

    async def dead_letters(self, limit: int, before: int | None) -> list[DeadLetter]:
        """The newest dead letters, newest first, older than number `before`."""
        return await self._following.ask(lambda c: read_dead_letters(c, limit, before))

    async def dead_letter(self, number: int) -> DeadLetter | None:
        """One dead letter."""
        return await self._following.ask(lambda c: read_dead_letter(c, number))

    async def remove_dead_letter(self, number: int) -> bool:
        """Forget a dead letter; False when it was not known."""
        return await self._writer.run(lambda c: remove_dead_letter(c, number))
