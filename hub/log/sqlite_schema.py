"""
The embedded log's tables, and how files of earlier versions become like new ones.

Times are stored as Unix seconds.
"""

import sqlite3

from hub.log.base import LogUnavailable

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    position INTEGER PRIMARY KEY, tag INTEGER NOT NULL, keys TEXT NOT NULL, ref TEXT NOT NULL,
    subject TEXT NOT NULL, after TEXT, trace_id TEXT NOT NULL, received_at REAL NOT NULL,
    message BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_trace ON events (trace_id);
CREATE TABLE IF NOT EXISTS seen (
    key TEXT PRIMARY KEY, position INTEGER NOT NULL, tag INTEGER NOT NULL, expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_by_expiry ON seen (expires_at);
CREATE TABLE IF NOT EXISTS heads (
    subject TEXT PRIMARY KEY, after TEXT, position INTEGER NOT NULL, updated_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, received_at REAL NOT NULL, provider TEXT NOT NULL,
    source TEXT NOT NULL, delivery_id TEXT NOT NULL, event TEXT NOT NULL, verdict TEXT NOT NULL,
    explanation TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS secret_uses (
    source TEXT NOT NULL, mark TEXT NOT NULL, last_used_at REAL NOT NULL,
    deliveries INTEGER NOT NULL, PRIMARY KEY (source, mark)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subscriptions (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL, expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reports (
    number INTEGER PRIMARY KEY, target TEXT NOT NULL, trace_id TEXT NOT NULL, stage TEXT NOT NULL,
    result TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL NOT NULL, version TEXT,
    message TEXT NOT NULL, reporter TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS reports_by_target ON reports (target, number);
"""

# What came after the first release, in order: as many as the file's user_version says are applied.
MIGRATIONS = (
    "ALTER TABLE deliveries ADD COLUMN signed_by TEXT NOT NULL DEFAULT ''",
    """
    CREATE TABLE callback_progress (
        subscription_id TEXT PRIMARY KEY, value TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE dead_letters (
        number INTEGER PRIMARY KEY AUTOINCREMENT, subscription_id TEXT NOT NULL,
        cursor TEXT NOT NULL, message BLOB NOT NULL, reason TEXT NOT NULL, buried_at REAL NOT NULL
    )
    """,
    "ALTER TABLE deliveries ADD COLUMN details BLOB",
    "ALTER TABLE deliveries ADD COLUMN payload BLOB",
    """
    CREATE TABLE refusals (
        key TEXT PRIMARY KEY, code TEXT NOT NULL, number INTEGER NOT NULL, document BLOB NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE INDEX refusals_by_code ON refusals (code, number)",
    "ALTER TABLE reports ADD COLUMN is_caught INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE reports ADD COLUMN commits TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE events ADD COLUMN stored_at REAL",
    "ALTER TABLE events ADD COLUMN delivery INTEGER",
    "DROP INDEX IF EXISTS reports_by_version",
    "DROP INDEX IF EXISTS reports_by_trace",
    "ALTER TABLE reports ADD COLUMN bounds TEXT NOT NULL DEFAULT '[]'",
    "CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)


def prepare(connection: sqlite3.Connection) -> None:
    """
    Make every table, and add to older files what they have not got.

    Raises:
        LogUnavailable: the file was made by a later version.
    """
    version = _version(connection)
    if version > len(MIGRATIONS):
        raise LogUnavailable(f"the log was made by a later directcd (its version is {version})")
    connection.executescript(SCHEMA)
    if version == len(MIGRATIONS):
        return
    with connection:  # a file is either as it was, or has the column and says so
        connection.execute("BEGIN IMMEDIATE")
        for number in range(_version(connection), len(MIGRATIONS)):
            connection.execute(MIGRATIONS[number])
            connection.execute(f"PRAGMA user_version = {number + 1}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
