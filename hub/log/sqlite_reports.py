"""
Stage reports in the embedded log, and the pushes that their traces began with.

Plain functions over a connection, as in `sqlite_events`.
"""

import json
import sqlite3
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from hub.log.values import Origin, StageReport

KEEP_REPORTS = 100_000  # stage reports, about 200 bytes each

_INSERT = """
INSERT INTO reports (target, stage, result, started_at, ended_at, trace_id, version, message,
    reporter, is_caught, commits, bounds)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SELECT = """
SELECT target, stage, result, started_at, ended_at, trace_id, version, message, reporter, is_caught,
    commits, bounds
FROM reports WHERE target = ? ORDER BY number DESC LIMIT ?
"""
_ORIGINS = """
SELECT trace_id, subject, after, received_at, stored_at, delivery,
    json_extract(CAST(message AS TEXT), '$.source')
FROM events
WHERE trace_id IN (SELECT value FROM json_each(?)) ORDER BY position DESC
"""


def insert_report(connection: sqlite3.Connection, report: StageReport) -> None:
    """Remember one stage report."""
    connection.execute(
        _INSERT,
        (
            report.target,
            report.stage,
            report.result,
            report.started_at.timestamp(),
            report.ended_at.timestamp(),
            report.trace_id,
            report.version,
            report.message,
            report.reporter,
            report.is_caught,
            json.dumps(report.commits),
            json.dumps(report.bounds),
        ),
    )


def read_targets(connection: sqlite3.Connection, limit: int) -> list[str]:
    """The targets that were reported about, the latest first."""
    rows = connection.execute(
        "SELECT target FROM reports GROUP BY target ORDER BY max(number) DESC LIMIT ?", (limit,)
    )
    return [target for (target,) in rows]


def read_reported(connection: sqlite3.Connection, since: float) -> dict[str, float]:
    """The targets that were reported about since a moment: the number of each's newest report."""
    rows = connection.execute(
        "SELECT target, max(number) FROM reports WHERE number >= ? GROUP BY target", (since,)
    )
    return {target: float(number) for target, number in rows}


def read_reports(connection: sqlite3.Connection, target: str, limit: int) -> list[StageReport]:
    """The newest reports about a target, oldest first."""
    rows = connection.execute(_SELECT, (target, limit)).fetchall()
    return [_report(row) for row in reversed(rows)]


def read_origins(connection: sqlite3.Connection, trace_ids: Collection[str]) -> dict[str, Origin]:
    """The pushes that traces began with, as far as they are kept."""
    rows = connection.execute(_ORIGINS, (json.dumps(list(trace_ids)),))
    return {row[0]: _origin(row) for row in rows}


def _report(row: tuple[Any, ...]) -> StageReport:
    *told, is_caught, commits, bounds = row
    target, stage, result, start, end, trace, version, message, reporter = told
    return StageReport(
        target,
        stage,
        result,
        _time(start),
        _time(end),
        trace,
        version,
        message,
        reporter,
        is_caught=bool(is_caught),
        commits=tuple((name, commit) for name, commit in json.loads(commits)),
        bounds=tuple(json.loads(bounds)),
    )


def _origin(row: tuple[Any, ...]) -> Origin:
    _, subject, commit, received_at, stored_at, delivery, endpoint = row
    stored = None if stored_at is None else _time(stored_at)
    return Origin(subject, commit, _time(received_at), stored, delivery, endpoint or "")


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
