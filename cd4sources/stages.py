"""
The stages of a pass: timed, and told to the hub and to a witness in this process.

The log gets one line a pass that is news: `pass`, or `pass failed`, with what its stages came to.
"""

import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cd4sources.building import BuildFailed
from cd4sources.keeping.store import UnknownVersion
from cd4sources.redacting import redacted
from cd4sources.reporting import Reporter, Result, Stage, StageReport
from cd4sources.running.commands import CommandError
from cd4sources.sources.repository import RepositoryError
from cd4sources.wakes import Wake

_EXPECTED = (BuildFailed, RepositoryError, CommandError, UnknownVersion, OSError)

_COMMIT_CHARACTERS = 12

_WORST_FIRST: tuple[Result, ...] = ("failed", "ok", "unchanged")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """Why the last pass did not end well."""

    stage: Stage
    message: str
    at: datetime
    version: str | None


@dataclass
class Outcome:
    """How a stage went: what its report will say."""

    started_at: datetime
    version: str | None = None
    result: Result = "ok"
    message: str = ""
    commits: tuple[tuple[str, str], ...] = ()
    is_caught: bool = False


class Stages:
    """
    Tells how the passes of one target go.

    Args:
        target: Its name.
        teller: Who says so: the server's name.
        reporter: Who is told.
        is_awaited: Whether somebody waits for this pass's word, so that it is news in any case.

    Attributes:
        failure: Why the last pass did not end well; None when it did.
    """

    def __init__(
        self, target: str, teller: str, reporter: Reporter, is_awaited: Callable[[Wake], bool]
    ) -> None:
        """Tell nothing yet."""
        self._target = target
        self._teller = teller
        self._reporter = reporter
        self._is_awaited = is_awaited
        self._told: list[StageReport] = []  # of the pass under way
        self._failing_since = datetime.now(UTC)
        self.failure: Failure | None = None

    def notified(self, wake: Wake) -> None:
        """Tell that a push was heard of."""
        self._tell("notified", Outcome(wake.received_at), wake)

    def skipped(self, wake: Wake, newer: Wake) -> None:
        """Tell that a push was not looked at, because a newer one will be."""
        commit = newer.announced.commit[:_COMMIT_CHARACTERS] if newer.announced else "a newer push"
        message = f"superseded by {commit}"
        outcome = Outcome(datetime.now(UTC), result="skipped", message=message)
        self._tell("fetched", outcome, wake)

    @contextmanager
    def of(self, stage: Stage, wake: Wake, version: str | None = None) -> Iterator[Outcome]:
        """
        Time a stage, and tell how it ended; a poll that meets nothing new is no news.

        Args:
            stage: Which.
            wake: Why this pass is made.
            version: What it is about, as far as that is known.
        """
        outcome = Outcome(datetime.now(UTC), version)
        self._reporter.began(self._target, stage, version)
        try:
            yield outcome
        except Exception as error:
            outcome.result = "failed"
            outcome.message = redacted(str(error)) or type(error).__name__
            is_news = self._fail(stage, outcome)
            self._end(stage, outcome, wake, is_news=is_news or self._is_awaited(wake))
            raise
        except BaseException:  # the process is being stopped
            outcome.result = "unchanged"
            self._end(stage, outcome, wake, is_news=False)
            raise
        is_over = self._mend(stage, outcome)
        is_news = is_over or outcome.result != "unchanged" or self._is_awaited(wake)
        self._end(stage, outcome, wake, is_news=is_news)

    def over(self, error: Exception | None) -> None:
        """Log what a pass came to, if that is news; `error` is what ended it early."""
        told, self._told = self._told, []
        is_news = any(one.is_news for one in told)
        if error is None:
            self.failure = None
            if is_news:
                logger.info("pass", extra=_canonical(self._target, told))
        elif is_news or not isinstance(error, BuildFailed):  # which is no new try at each look
            level = logging.WARNING if is_news else logging.DEBUG
            trace = None if isinstance(error, _EXPECTED) else error
            keys = _canonical(self._target, told)
            keys |= {"stage": told[-1].stage if told else "", "reason": redacted(str(error))}
            logger.log(level, "pass failed", extra=keys, exc_info=trace)

    def _fail(self, stage: Stage, outcome: Outcome) -> bool:
        """Remember a failure; tell whether it is news."""
        now = datetime.now(UTC)
        before, self.failure = self.failure, Failure(stage, outcome.message, now, outcome.version)
        if before is None or before.stage != stage:
            self._failing_since = now
        return before is None or before.message != outcome.message

    def _mend(self, stage: Stage, outcome: Outcome) -> bool:
        """Tell whether this stage has failed until now."""
        if self.failure is None or self.failure.stage != stage or outcome.result == "failed":
            return False
        seconds = (datetime.now(UTC) - self._failing_since).total_seconds()
        outcome.message = outcome.message or f"again, after {seconds:.0f} s"
        return True

    def _end(self, stage: Stage, outcome: Outcome, wake: Wake, *, is_news: bool) -> None:
        self._told.append(self._tell(stage, outcome, wake, is_news=is_news))

    def _tell(
        self, stage: Stage, outcome: Outcome, wake: Wake, *, is_news: bool = True
    ) -> StageReport:
        report = StageReport(
            target=self._target,
            version=outcome.version,
            stage=stage,
            result=outcome.result,
            started_at=outcome.started_at,
            ended_at=wake.received_at if stage == "notified" else datetime.now(UTC),
            traceparent=wake.traceparent,
            message=outcome.message,
            reporter=self._teller,
            reason=wake.reason,
            commits=outcome.commits,
            is_caught=outcome.is_caught,
            is_news=is_news,
        )
        self._reporter.report(report)
        return report


def _canonical(target: str, told: Sequence[StageReport]) -> dict[str, object]:
    """The keys of a pass's line: what its stages came to, and how long each took."""
    commits = [pair for one in told for pair in one.commits]
    results = {one.result for one in told}
    keys: dict[str, object] = {
        "target": target,
        "wake": told[0].reason if told else "",
        "result": next((one for one in _WORST_FIRST if one in results), ""),
        "commit": " ".join(f"{name}={commit[:_COMMIT_CHARACTERS]}" for name, commit in commits),
        "version": next((one.version for one in reversed(told) if one.version), ""),
        "trace_id": told[0].traceparent.split("-")[1] if told and told[0].traceparent else "",
    }
    for one in told:
        took = (one.ended_at - one.started_at).total_seconds() * 1000
        keys[f"{one.stage}_ms"] = round(took)
    return keys


def traced(wake: Wake) -> Wake:
    """A wake that belongs to a trace: its own, or one that begins here."""
    # https://www.w3.org/TR/trace-context/#traceparent-header
    fresh = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    return wake if wake.traceparent else replace(wake, traceparent=fresh)
