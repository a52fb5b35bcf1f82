"""How a pull stands: what runs, what is being built, and what went wrong last."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from cd4sources.reporting import Stage, StageReport
from cd4sources.stages import Failure

State = Literal["starting", "building", "running", "failed", "stopped"]
Commits = tuple[tuple[str, str], ...]

_REMEMBERED = 8  # versions on their way from a build to running


@dataclass(frozen=True)
class Lasting:
    """A stage that takes its time."""

    stage: Stage
    version: str | None
    since: datetime


@dataclass(frozen=True)
class Running:
    """The version that has become healthy, and the commits it was built of as far as known."""

    version: str
    since: datetime
    commits: Commits


@dataclass(frozen=True)
class Building:
    """A build: when it began, and of what as far as known."""

    since: datetime
    commits: Commits


class Standing:
    """
    What the reports come to; told first, so that whoever is told afterwards may ask.

    Args:
        outlived: The program runs on when we end.

    Attributes:
        running: None until something runs.
        failure: None when all is well.
        building: The build that takes its time, None when there is none.
        last_look_at: When the repositories were asked last.
        caught_by_poll: Pushes that nobody announced.
        is_caught: Whether the last stage has found one.
        is_outlived: Whether the program goes on when we end.
    """

    def __init__(self, *, outlived: bool = False) -> None:
        """Nothing has happened."""
        self.is_outlived = outlived
        self.running: Running | None = None
        self.failure: Failure | None = None
        self.building: Building | None = None
        self.last_look_at: datetime | None = None
        self.caught_by_poll = 0
        self.is_caught = False
        self._is_stopped = False
        self._commits: dict[str, str] = {}
        self._made_of: dict[str, Commits] = {}

    @property
    def state(self) -> State:
        """What matters most, in one word."""
        if self._is_stopped:
            return "stopped"
        if self.building:
            return "building"
        if self.failure:
            return "failed"
        return "running" if self.running else "starting"

    def lasts(self, lasting: Lasting) -> None:
        """Note that a stage takes its time."""
        if lasting.stage == "built":
            self.building = Building(lasting.since, tuple(self._commits.items()))

    def ended(self, report: StageReport) -> None:
        """Note how a stage ended; what was skipped or condemned has been told of before."""
        if report.result in {"quarantined", "skipped"}:
            return
        self.is_caught = report.is_caught
        self.caught_by_poll += report.is_caught
        if report.result in {"failed", "rolled_back"}:
            self._fail(report)
        elif self.failure and report.stage in {self.failure.stage, "published"}:
            self.failure = None
        if report.stage == "fetched":
            self._looked(report)
        elif report.stage == "built":
            self._built(report)
        elif report.stage == "running":
            self._ran(report)

    def close(self) -> None:
        """Note the end of all."""
        self.building = None
        if not self.is_outlived:
            self._is_stopped, self.running = True, None

    def _fail(self, report: StageReport) -> None:
        before = self.failure
        if before is None or (before.stage, before.message) != (report.stage, report.message):
            at, version = report.ended_at, report.version
            self.failure = Failure(report.stage, report.message, at, version)

    def _looked(self, report: StageReport) -> None:
        self.last_look_at = report.ended_at
        self._commits.update(report.commits)

    def _built(self, report: StageReport) -> None:
        self.building = None
        if report.version and report.result != "failed":
            self._made_of[report.version] = tuple(self._commits.items())
            for oldest in list(self._made_of)[:-_REMEMBERED]:
                del self._made_of[oldest]
            if self.running and self.running.version == report.version:  # it was started first
                self.running = replace(self.running, commits=self._made_of[report.version])

    def _ran(self, report: StageReport) -> None:
        version = report.version or ""
        if report.result in {"ok", "unchanged"}:
            commits = self._made_of.get(version, ())
            ran_before = report.result == "unchanged"
            since = report.started_at if ran_before else report.ended_at
            self.running = Running(version, since, commits)
        elif report.result == "failed" or (self.running and self.running.version == version):
            self.running = None
