"""
What is counted of the stages that servers and clients report, by target.

A target's name is whatever the sender of a report wrote: only so many are told apart.
"""

from collections import defaultdict

from hub.counting import Durations
from hub.lasting import seconds_between
from hub.log.base import Log
from hub.log.values import StageReport

TARGETS_MOST = 200
OTHER = "other"
STAGES = frozenset(
    {"notified", "fetched", "built", "published", "downloaded", "stopped", "running"}
)
RESULTS = frozenset({"ok", "failed", "rolled_back", "quarantined", "skipped", "unchanged"})
STAGE_BOUNDS_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)
"""A stage may be one request, or a cold build."""


class TrailCounts:
    """
    What one hub was told of stages since it started; what is reported by way of Redis is not here.

    Attributes:
        stages: how many ended, by target, stage and result.
        durations: how long those took that were done, by target and stage, as far as believed.
        to_running: from a push's receipt until its version ran, by target, as far as believed.
        caught: changes that only a poll has found, by target.
    """

    def __init__(self) -> None:
        self.stages: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self.durations: defaultdict[tuple[str, ...], Durations] = defaultdict(_durations)
        self.to_running: defaultdict[str, Durations] = defaultdict(_durations)
        self.caught: defaultdict[str, int] = defaultdict(int)
        self._targets: set[str] = set()

    async def reported(self, log: Log, report: StageReport) -> None:
        """
        A report was filed.

        Raises:
            LogUnavailable: the log cannot tell now of which push.
        """
        target = self._target(report.target)
        stage = report.stage if report.stage in STAGES else OTHER
        result = report.result if report.result in RESULTS else OTHER
        self.stages[target, stage, result] += 1
        self.caught[target] += report.is_caught
        if result == "ok":
            took = seconds_between(report.started_at, report.ended_at)
            _add(self.durations[target, stage], took)
        if (stage, result) == ("running", "ok"):
            await self._arrived(log, target, report)

    async def _arrived(self, log: Log, target: str, report: StageReport) -> None:
        origins = await log.origins([report.trace_id])
        for push in origins.values():
            _add(self.to_running[target], seconds_between(push.received_at, report.ended_at))

    def _target(self, name: str) -> str:
        name = "".join(letter if letter.isprintable() else "?" for letter in name)
        if name not in self._targets and len(self._targets) >= TARGETS_MOST:
            return OTHER
        self._targets.add(name)
        return name


def _durations() -> Durations:
    return Durations(STAGE_BOUNDS_SECONDS)


def _add(durations: Durations, seconds: float | None) -> None:
    if seconds is not None:
        durations.add(seconds)
