"""
Events in the embedded log: the statements that append and read them.

Plain functions over a connection; they run inside the writer's transaction or a reader's snapshot
and know nothing of threads or event loops.
"""

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

from hub.log.messages import event_of, message_of
from hub.log.values import Cursor, Event, Head, NewEvent, tag_of

LAST_CHARACTER = "\U0010ffff"  # behind every text that begins with the same letters


@dataclass(frozen=True, slots=True)
class Moment:
    """
    When events are stored, in Unix seconds, and with which delivery.

    Attributes:
        received_at: when the delivery had arrived.
        stored_at: when the log takes it.
        repeats_until: until when the same news is a repeat.
        delivery: the number it will have.
    """

    received_at: float
    stored_at: float
    repeats_until: float
    delivery: int


def birth(connection: sqlite3.Connection, now: datetime) -> int:
    """The log's epoch in milliseconds, decided when the log is first opened."""
    connection.execute(
        "INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (int(now.timestamp() * 1000),)
    )
    row = connection.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
    return int(row[0])


def last_position(connection: sqlite3.Connection) -> tuple[int, int]:
    """Position and tag of the newest event, (0, 0) when there is none."""
    row = connection.execute("SELECT position, tag FROM events ORDER BY position DESC LIMIT 1")
    return row.fetchone() or (0, 0)


def append_event(
    connection: sqlite3.Connection, epoch: int, event: NewEvent, moment: Moment
) -> tuple[Cursor, Event | None]:
    """
    Store one event unless it is a repeat.

    Args:
        connection: inside a transaction.
        epoch: the log's epoch.
        event: what to store.
        moment: when, and of which delivery.

    Returns:
        Where the event stands, and the event itself when it is new.
    """
    repeat = _find_repeat(connection, event, moment.received_at)
    if repeat is not None:
        return Cursor(epoch, *repeat), None
    position = last_position(connection)[0] + 1
    cursor = Cursor(epoch, position, tag_of(event.event_id))
    stored = event_of(message_of(cursor, event.tail))
    _insert_event(connection, event, stored, moment)
    _remember(connection, event, cursor, moment)
    return cursor, stored


def _find_repeat(
    connection: sqlite3.Connection, event: NewEvent, now: float
) -> tuple[int, int] | None:
    statement = "SELECT position, tag FROM seen WHERE key = ? AND expires_at > ?"
    if event.delivery_key:
        row = connection.execute(statement, (event.delivery_key, now)).fetchone()
        if row is not None:
            return int(row[0]), int(row[1])
    row = connection.execute(statement, (event.event_id, now)).fetchone()
    if row is None or _moves_head(connection, event):
        return None
    return int(row[0]), int(row[1])


def _moves_head(connection: sqlite3.Connection, event: NewEvent) -> bool:
    """Whether a known meaning is news all the same: the ref stands elsewhere now."""
    row = connection.execute(
        "SELECT after FROM heads WHERE subject = ?", (event.subject,)
    ).fetchone()
    if row is None:
        return True  # the last one to speak of this ref did not say where it stands
    if row[0] == event.after:
        return False
    # A→B, back to A, A→B again within the window: the third push means the same as the first but
    # starts where the ref now stands; a late copy of the first does not. Deleted branches and moved
    # tags come without the old commit from some forges: rather one hint too many than one too few.
    return event.before is None or bool(row[0] == event.before)


def _insert_event(
    connection: sqlite3.Connection, event: NewEvent, stored: Event, moment: Moment
) -> None:
    connection.execute(
        "INSERT INTO events (position, tag, keys, ref, subject, after, trace_id, received_at,"
        " message, stored_at, delivery) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            stored.cursor.position,
            stored.cursor.tag,
            json.dumps(sorted(event.keys)),
            event.ref,
            event.subject,
            event.after,
            event.trace_id,
            moment.received_at,
            stored.message,
            moment.stored_at,
            moment.delivery,
        ),
    )


def _remember(
    connection: sqlite3.Connection, event: NewEvent, cursor: Cursor, moment: Moment
) -> None:
    for key in filter(None, (event.event_id, event.delivery_key)):
        connection.execute(
            "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)",
            (key, cursor.position, cursor.tag, moment.repeats_until),
        )
    if event.unsaid:
        connection.execute("DELETE FROM heads WHERE subject = ?", (event.subject,))
        return
    connection.execute(
        "INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?)",
        (event.subject, event.after, cursor.position, moment.received_at),
    )


def read_events(connection: sqlite3.Connection, after: int, limit: int) -> list[Event]:
    """
    At most `limit` events behind a position, oldest first.

    Raises:
        ValueError: one of them was not written by a hub.
    """
    rows = connection.execute(
        "SELECT message FROM events WHERE position > ? ORDER BY position LIMIT ?", (after, limit)
    )
    return [event_of(message) for (message,) in rows]


def read_heads(connection: sqlite3.Connection, prefix: str, limit: int) -> list[Head]:
    """Where the refs whose subject begins so stand, by subject."""
    rows = connection.execute(
        "SELECT subject, after, updated_at FROM heads WHERE subject >= ? AND subject < ?"
        " ORDER BY subject LIMIT ?",
        (prefix, prefix + LAST_CHARACTER, limit),
    )
    return [Head(subject, after, datetime.fromtimestamp(at, UTC)) for subject, after, at in rows]


def tag_at(connection: sqlite3.Connection, position: int) -> int | None:
    """The tag of the event at a position, None when it is not kept."""
    row = connection.execute("SELECT tag FROM events WHERE position = ?", (position,)).fetchone()
    return None if row is None else int(row[0])


def oldest_position(connection: sqlite3.Connection) -> int | None:
    """The oldest kept position, None in an empty log."""
    row = connection.execute("SELECT min(position) FROM events").fetchone()
    return None if row[0] is None else int(row[0])
