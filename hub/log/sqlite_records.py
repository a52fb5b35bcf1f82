"""
What the embedded log keeps beside events, deliveries and reports: subscriptions; and for how long.

Plain functions over a connection, as in `sqlite_events`.
"""

import json
import sqlite3
from datetime import UTC, datetime

from hub.log.sqlite_reports import KEEP_REPORTS
from hub.log.values import SubscriptionRow


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
