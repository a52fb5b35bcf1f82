"""What is counted of stages where they end: plain numbers, which `metrics` shows when asked."""

from bisect import bisect_left
from collections import defaultdict

from cd4sources.reporting import Stage, StageReport

BOUNDS_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)
"""A stage may be one request, or a cold build."""


class StageCounts:
    """
    A witness that counts. What a pass met unchanged counts, too: so one sees that it looks.

    Attributes:
        results: How many stages have ended, by target, stage and result.
        buckets: How many of those that went well took how long, by target and stage.
        seconds: How long those took together.
        caught: Changes that only a poll has found, by target.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.results: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self.buckets: defaultdict[tuple[str, ...], list[int]] = defaultdict(_empty)
        self.seconds: defaultdict[tuple[str, ...], float] = defaultdict(float)
        self.caught: defaultdict[tuple[str, ...], int] = defaultdict(int)

    def began(self, target: str, stage: Stage, version: str | None) -> None:
        """Nothing is counted before its end."""

    def ended(self, report: StageReport) -> None:
        """Count it."""
        self.results[report.target, report.stage, report.result] += 1
        self.caught[report.target,] += report.is_caught
        if report.result == "ok":
            seconds = (report.ended_at - report.started_at).total_seconds()
            self.buckets[report.target, report.stage][bisect_left(BOUNDS_SECONDS, seconds)] += 1
            self.seconds[report.target, report.stage] += seconds


def _empty() -> list[int]:
    return [0] * (len(BOUNDS_SECONDS) + 1)
