"""
What happens as JSON, for programs: one object a line.

Every line has all of these keys, and later releases will only add some: `event` (`stage`),
`target`, `stage`, `result`, `version` (or null), `started_at`, `ended_at` (RFC 3339, UTC),
`duration_seconds`, `reason` (why the look began, or empty), `commits` (of a fetch that found some:
objects of `repository` and `commit`), `message` (empty when there is nothing to say, may have
several lines) and `caught_by_poll` (pushes that nobody announced, so far).
"""

import json

from cd4sources.reporting import StageReport
from directcd.pull.sink import Sink
from directcd.pull.standing import Commits, Lasting, Standing


class Events:
    """
    One object a finished step that is news.

    Args:
        sink: Where to.
        standing: How it stands; it was told of a report already.
    """

    def __init__(self, sink: Sink, standing: Standing) -> None:
        """Nothing was told yet."""
        self._sink = sink
        self._standing = standing

    def lasts(self, lasting: Lasting) -> None:
        """An event says what has ended."""

    def ended(self, report: StageReport) -> None:
        """Tell how a stage ended."""
        if report.is_news:
            event = event_document(report, self._standing.caught_by_poll)
            self._sink.write(json.dumps(event) + "\n")

    def close(self) -> None:
        """Nothing is left to be told."""


def event_document(report: StageReport, caught_by_poll: int) -> dict[str, object]:
    """A report as an event, see above."""
    seconds = (report.ended_at - report.started_at).total_seconds()
    return {
        "event": "stage",
        "target": report.target,
        "stage": report.stage,
        "result": report.result,
        "version": report.version,
        "started_at": report.started_at.isoformat(),
        "ended_at": report.ended_at.isoformat(),
        "duration_seconds": round(max(0.0, seconds), 6),
        "reason": report.reason,
        "commits": commits_document(report.commits),
        "message": well_formed(report.message),
        "caught_by_poll": caught_by_poll,
    }


def commits_document(commits: Commits) -> list[dict[str, str]]:
    """Commits as objects, in a file or an event."""
    return [{"repository": name, "commit": commit} for name, commit in commits]


def well_formed(text: str) -> str:
    """The text without halves of surrogate pairs, of which strict readers make nothing."""
    return text.encode(errors="replace").decode()
