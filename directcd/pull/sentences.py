"""A stage's end in words, for a terminal and for plain lines alike."""

from dataclasses import dataclass
from datetime import datetime

from cd4sources.reporting import Stage, StageReport
from directcd.pull.advice import Advice
from directcd.pull.standing import Lasting, Standing
from directcd.terminal import colourless, line

SHORT_COMMIT = 12
_MOST_LINES = 20  # below a failure: what a build said at the end

_LOG = "; the whole log: "

_DONE: dict[Stage, str] = {"notified": "heard"}
_FAILING: dict[Stage, str] = {
    "fetched": "fetch",
    "built": "build",
    "published": "publish",
    "downloaded": "take",
    "running": "start",
}
_DOING: dict[Stage, str] = {
    "fetched": "fetching",
    "built": "building",
    "published": "publishing",
    "downloaded": "taking",
    "running": "starting",
}
_MINOR = frozenset({"notified", "published", "downloaded", "stopped"})
"""Over in milliseconds: told of when they fail, or to those who want to know more."""

_TOLD_ELSEWHERE = frozenset({"quarantined", "skipped"})
"""By a line of the log, with what to do; and by the push that took its place."""


@dataclass(frozen=True)
class Told:
    """One finished step: a line, and what stands below it."""

    is_good: bool
    head: str
    text: str
    seconds: float
    more: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Its line, but for how long it took."""
        return f"{self.head:8}  {self.text}"

    @property
    def took(self) -> str:
        """How long, for people."""
        return f"{self.seconds:.2f} s"


class Sentences:
    """
    Puts reports into words.

    Args:
        standing: What they come to; it was told of a report already.
        advice: What to do about pushes that nobody announced.
        verbose: Tell of the minor steps, too.
    """

    def __init__(self, standing: Standing, advice: Advice, *, verbose: bool) -> None:
        """Nothing was told yet."""
        self._standing = standing
        self._advice = advice
        self._verbose = verbose

    def of(self, report: StageReport) -> Told | None:
        """What to say about a stage that has ended; None: nothing."""
        if not report.is_news or report.result in _TOLD_ELSEWHERE:
            return None
        seconds = max(0.0, (report.ended_at - report.started_at).total_seconds())
        if report.result in {"failed", "rolled_back"}:
            return self._failure(report, seconds)
        if not self._verbose and self._is_minor(report):
            return None
        head = _DONE.get(report.stage, report.stage)
        return Told(True, head, self._done(report), seconds, self._advised(report))  # noqa: FBT003

    @staticmethod
    def _is_minor(report: StageReport) -> bool:
        is_there = report.stage == "built" and report.result == "unchanged"
        is_mended = bool(report.message) and report.stage != "stopped"
        return not is_mended and (report.stage in _MINOR or is_there)

    def _done(self, report: StageReport) -> str:
        if report.stage == "notified":
            return "a push, from the hub"
        said = line(report.message)
        if report.stage == "stopped":
            return said
        if report.stage == "fetched":
            return "  ".join(filter(None, (_commits(report), self._why(report), said)))
        there = "there already" if report.result == "unchanged" else ""
        return "  ".join(filter(None, (report.version, there, said)))

    def _why(self, report: StageReport) -> str:
        if self._standing.is_caught:
            return "caught by poll"
        return "" if report.reason == "start" else report.reason

    def _advised(self, report: StageReport) -> tuple[str, ...]:
        if not self._standing.is_caught:
            return ()
        return tuple(map(line, self._advice.on([name for name, _ in report.commits])))

    def _failure(self, report: StageReport, seconds: float) -> Told:
        is_back = report.result == "rolled_back"
        head = "rolled back" if is_back else f"{_FAILING.get(report.stage, report.stage)} failed"
        lines = [one for one in colourless(report.message).splitlines() if one.strip()]
        first, *others = lines or [""]
        first, log, place = first.partition(_LOG)
        for what in ("was rolled back", "did not start"):
            first = first.removeprefix(f"{report.version} {what}: ")
        below = [f"the whole log: {place}"] if log else []
        below += others[-_MOST_LINES:]
        below += self._next(report)
        text = "  ".join(filter(None, (report.version, line(first))))
        return Told(False, head, text, seconds, tuple(below))  # noqa: FBT003

    def _next(self, report: StageReport) -> list[str]:
        """What goes on, and what to do; of a version that did not run its message says so."""
        if report.stage == "running":
            return []
        running = self._standing.running
        now = f"{running.version} runs on" if running else "nothing runs yet"
        again = "" if self._standing.is_outlived else "; this one is tried again after a while"
        if _says_what_to_do(report.message):
            return [now]
        if report.stage == "built":
            return [f"{now}; next: push another commit{again}"]
        return [now if self._standing.is_outlived else f"{now}; next: nothing, it is tried again"]


def _says_what_to_do(message: str) -> bool:
    return "next: " in message or "install Go" in message


def doing(lasting: Lasting, now: datetime) -> str:
    """What a stage that has not ended does, and for how long."""
    seconds = max(0.0, (now - lasting.since).total_seconds())
    words = _DOING.get(lasting.stage, lasting.stage), lasting.version
    return f"{' '.join(filter(None, words))}  {seconds:.1f} s"


def _commits(report: StageReport) -> str:
    if not report.commits:
        return "nothing new"
    return ", ".join(f"{line(name)} {commit[:SHORT_COMMIT]}" for name, commit in report.commits)
