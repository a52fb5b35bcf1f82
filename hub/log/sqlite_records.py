"""
What the embedded log keeps beside events and deliveries: subscriptions and stage reports.

Plain functions over a connection, as in `sqlite_events`.
"""

import json
import sqlite3
from datetime import UTC, datetime

from hub.log.values import StageReport, SubscriptionRow, Trace

# Those of another trace, too, when it came to the same version: another look may have met this
# push's commit first, and built it.
_REPORTS_OF_TRACE = """
SELECT target, stage, result, started_at, ended_at, trace_id, version, message, reporter
FROM reports
WHERE target = :target AND (
    trace_id = :trace
    OR stage != 'notified' AND result != 'unchanged' AND trace_id IN (
        SELECT trace_id FROM reports WHERE target = :target AND version IN (
            SELECT version FROM reports WHERE target = :target AND trace_id = :trace
        )
    )
)
ORDER BY number
"""

KEEP_REPORTS = 100_000  # stage reports, about 200 bytes each


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def put_subscription(
    connection: sqlite3.Connection, row: SubscriptionRow, replaces: SubscriptionRow | None
) -> bool:
    """Store a subscription if `replaces` is what is stored; whether it was."""
    stored = connection.execute(
        "SELECT id, name, body, expires_at FROM subscriptions WHERE id = ?", (row.id,)
    ).fetchone()
    if stored != (replaces and _columns(replaces)):
        return False
    connection.execute("INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?, ?)", _columns(row))
    return True


def _columns(row: SubscriptionRow) -> tuple[str, str, str, float]:
    return row.id, row.name, json.dumps(row.body), row.expires_at.timestamp()


def delete_subscription(connection: sqlite3.Connection, subscription_id: str) -> None:
    """Forget a subscription."""
    connection.execute("DELETE FROM subscriptions WHERE id = ?", (subscription_id,))


def read_subscriptions(connection: sqlite3.Connection) -> list[SubscriptionRow]:
    """Every stored subscription."""
    rows = connection.execute("SELECT id, name, body, expires_at FROM subscriptions")
    return [SubscriptionRow(id_, name, json.loads(body), _time(at)) for id_, name, body, at in rows]


def insert_report(connection: sqlite3.Connection, report: StageReport) -> None:
    """Remember one stage report."""
    connection.execute(
        "INSERT INTO reports (target, trace_id, stage, result, started_at, ended_at, version,"
        " message, reporter) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            report.target,
            report.trace_id,
            report.stage,
            report.result,
            report.started_at.timestamp(),
            report.ended_at.timestamp(),
            report.version,
            report.message,
            report.reporter,
        ),
    )


def read_traces(connection: sqlite3.Connection, target: str, limit: int) -> list[Trace]:
    """The newest traces that touched a target, oldest first."""
    rows = connection.execute(
        "SELECT trace_id FROM reports WHERE target = ? GROUP BY trace_id"
        " ORDER BY min(number) DESC LIMIT ?",
        (target, limit),
    ).fetchall()
    return [_trace(connection, target, trace_id) for (trace_id,) in reversed(rows)]


def _trace(connection: sqlite3.Connection, target: str, trace_id: str) -> Trace:
    origin = connection.execute(
        "SELECT subject, after, received_at FROM events WHERE trace_id = ?"
        " ORDER BY position LIMIT 1",
        (trace_id,),
    ).fetchone()
    subject, commit, received_at = origin or (None, None, None)
    rows = connection.execute(_REPORTS_OF_TRACE, {"target": target, "trace": trace_id})
    reports = tuple(
        StageReport(t, stage, result, _time(start), _time(end), trace, version, message, who)
        for t, stage, result, start, end, trace, version, message, who in rows
    )
    received = None if received_at is None else _time(received_at)
    return Trace(trace_id, subject, commit, received, reports)


def prune(
    connection: sqlite3.Connection, keep_events: int, keep_deliveries: int, now: float
) -> None:
    """Drop what is older than the log promises to reach back."""
    connection.execute(
        "DELETE FROM events WHERE position <= (SELECT max(position) FROM events) - ?",
        (keep_events,),
    )
    connection.execute(
        "DELETE FROM deliveries WHERE number <= (SELECT max(number) FROM deliveries) - ?",
        (keep_deliveries,),
    )
    connection.execute(
        "DELETE FROM reports WHERE number <= (SELECT max(number) FROM reports) - ?", (KEEP_REPORTS,)
    )
    connection.execute("DELETE FROM seen WHERE expires_at <= ?", (now,))
