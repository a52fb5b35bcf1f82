"""
Deliveries in the embedded log: those that were accepted, and apart from them those refused.

The statements are plain functions over a connection, as in `sqlite_events`.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

import msgspec

from hub.log.delivered import ALL, SCANNED, Document, Wanted, listed, whole
from hub.log.refused import KEEP_REFUSALS, Refusal, decoded, encoded
from hub.log.sqlite_reader import Reader
from hub.log.sqlite_writer import GroupCommitWriter
from hub.log.values import Appended, DeliveryRecord, Event, SecretUse

T = TypeVar("T")

_COUNT_USE = """
INSERT INTO secret_uses (source, mark, last_used_at, deliveries) VALUES (?, ?, ?, 1)
ON CONFLICT (source, mark) DO UPDATE SET
    deliveries = deliveries + 1, last_used_at = max(last_used_at, excluded.last_used_at)
"""

_INSERT = (
    "INSERT INTO deliveries (received_at, provider, source, delivery_id, event, verdict,"
    " explanation, signed_by, details, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

_SELECT = (
    "SELECT number, received_at, provider, source, delivery_id, event, verdict, explanation,"
    " signed_by FROM deliveries"
)

_FORGET_REFUSALS = """
DELETE FROM refusals WHERE code = ? AND key NOT IN (
    SELECT key FROM refusals WHERE code = ? ORDER BY number DESC LIMIT ?
)
"""

_ENCODE = msgspec.json.Encoder().encode
_DECODE = msgspec.json.Decoder().decode


def next_number(connection: sqlite3.Connection) -> int:
    """The number of the delivery that is appended next; there is one writer."""
    # https://www.sqlite.org/autoinc.html: it has a row as soon as a table has had one.
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'deliveries'").fetchone()
    return 1 + (int(row[0]) if row else 0)


def append_delivery(
    connection: sqlite3.Connection, record: DeliveryRecord, appended: Sequence[Event | None]
) -> Appended:
    """
    Remember a delivery and its secret beside its events.

    A delivery of repeats alone is a duplicate; its secret was used all the same.
    """
    at = record.received_at.timestamp()
    connection.execute(_COUNT_USE, (record.source, record.secret_mark, at))
    duplicate = bool(appended) and not any(appended)
    number = connection.execute(
        _INSERT,
        (
            at,
            record.provider,
            record.source,
            record.delivery_id,
            record.event,
            "duplicate" if duplicate else record.verdict,
            _ENCODE(record.repeat_explanation if duplicate else record.explanation).decode(),
            record.signed_by,
            record.details,
            record.payload or None,
        ),
    ).lastrowid
    return Appended(int(number or 0), duplicate=duplicate)


def read_secret_uses(connection: sqlite3.Connection) -> list[SecretUse]:
    """Every remembered use of a secret."""
    rows = connection.execute("SELECT source, mark, last_used_at, deliveries FROM secret_uses")
    return [SecretUse(source, mark, _time(at), deliveries) for source, mark, at, deliveries in rows]


def read_deliveries(
    connection: sqlite3.Connection, limit: int, before: int | None, wanted: Wanted
) -> list[Document]:
    """Remembered deliveries older than number `before` (all when None), newest first."""
    rows = connection.execute(
        f"{_SELECT} WHERE number < ? ORDER BY number DESC LIMIT ?",
        (before if before is not None else 2**62, limit if wanted == ALL else SCANNED),
    )
    return list(islice(filter(wanted.takes, map(_delivery, rows)), limit))


def read_delivery(connection: sqlite3.Connection, number: int) -> Document | None:
    """One remembered delivery with how it came, or None."""
    row = connection.execute(f"{_SELECT} WHERE number = ?", (number,)).fetchone()
    if row is None:
        return None
    [details] = connection.execute(
        "SELECT details FROM deliveries WHERE number = ?", (number,)
    ).fetchone()
    return whole(_delivery(row), details)


def read_payload(connection: sqlite3.Connection, number: int) -> bytes | None:
    """What is kept of a payload, or None."""
    row = connection.execute(
        "SELECT payload FROM deliveries WHERE number = ?", (number,)
    ).fetchone()
    return None if row is None else row[0]


def forget_before(connection: sqlite3.Connection, moment: datetime) -> None:
    """Forget deliveries and refusals that are older."""
    at = moment.timestamp()
    connection.execute("DELETE FROM deliveries WHERE received_at < ?", (at,))
    connection.execute("DELETE FROM refusals WHERE number < ?", (int(at * 1e6),))


def put_refusals(connection: sqlite3.Connection, refusals: Iterable[Refusal]) -> None:
    """Remember refusals, equal ones as one, and of each code the newest."""
    for refusal in refusals:
        row = connection.execute(
            "SELECT document FROM refusals WHERE key = ?", (refusal.key,)
        ).fetchone()
        now = refusal.after(decoded(row[0])) if row else refusal
        connection.execute(
            "INSERT OR REPLACE INTO refusals VALUES (?, ?, ?, ?)",
            (now.key, now.code, now.number, encoded(now)),
        )
        connection.execute(_FORGET_REFUSALS, (now.code, now.code, KEEP_REFUSALS))


def read_refusals(connection: sqlite3.Connection, limit: int, before: int | None) -> list[Refusal]:
    """Refusals older than number `before` (all when None), newest first."""
    rows = connection.execute(
        "SELECT document FROM refusals WHERE number < ? ORDER BY number DESC LIMIT ?",
        (before if before is not None else 2**62, limit),
    )
    return [decoded(document) for (document,) in rows]


def _delivery(row: tuple[Any, ...]) -> Document:
    number, received_at, provider, source, delivery_id, event, verdict, explanation, signed_by = row
    return listed(
        number,
        {
            "received_at": _time(received_at).isoformat(),
            "provider": provider,
            "source": source,
            "delivery_id": delivery_id,
            "event": event,
            "verdict": verdict,
            "signed_by": signed_by,
            "explanation": _DECODE(explanation),
        },
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class SqliteDeliveries:
    """The part of the `Log` protocol that is about deliveries once they are appended."""

    _writer: GroupCommitWriter
    _looking: Reader

    async def deliveries(
        self, limit: int, before: int | None, wanted: Wanted = ALL
    ) -> list[Document]:
        """The newest remembered deliveries, newest first, older than number `before`."""
        return await self._looking.ask(lambda c: read_deliveries(c, limit, before, wanted))

    async def delivery(self, number: int) -> Document | None:
        """One remembered delivery, with how it came."""
        return await self._looking.ask(lambda c: read_delivery(c, number))

    async def payload(self, number: int) -> bytes | None:
        """What is kept of a delivery's payload; None when nothing is, or is no longer."""
        return await self._looking.ask(lambda c: read_payload(c, number))

    async def secret_uses(self) -> list[SecretUse]:
        """When each secret last verified a delivery, also of deliveries long forgotten."""
        return await self._looking.ask(read_secret_uses)

    async def forget_before(self, moment: datetime) -> None:
        """Forget deliveries and refusals that are older."""
        await self._writer.run(lambda c: forget_before(c, moment))

    async def refuse(self, refusals: Sequence[Refusal]) -> None:
        """Remember refused deliveries, equal ones as one."""
        await self._writer.run(lambda c: put_refusals(c, refusals), weight=len(refusals))

    async def refusals(self, limit: int, before: int | None) -> list[Refusal]:
        """The newest refused deliveries, newest first, older than number `before`."""
        return await self._looking.ask(lambda c: read_refusals(c, limit, before))
