"""The stages of a pass: timed, and told to the hub, to a witness in this process, to the log."""

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cd4sources.building import BuildFailed
from cd4sources.keeping.store import UnknownVersion
from cd4sources.reporting import Reporter, Result, Stage, StageReport
from cd4sources.running.commands import CommandError
from cd4sources.sources.addresses import redacted
from cd4sources.sources.repository import RepositoryError
from cd4sources.wakes import Wake

_EXPECTED = (BuildFailed, RepositoryError, CommandError, UnknownVersion, OSError)

_COMMIT_CHARACTERS = 12

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
            is_news = self._fail(stage, outcome, error)
            self._tell(stage, outcome, wake, is_news=is_news or self._is_awaited(wake))
            raise
        except BaseException:  # the process is being stopped
            outcome.result = "unchanged"
            self._tell(stage, outcome, wake, is_news=False)
            raise
        is_news = outcome.result != "unchanged" or self._is_awaited(wake)
        self._tell(stage, outcome, wake, is_news=is_news)

    def _fail(self, stage: Stage, outcome: Outcome, error: Exception) -> bool:
        """Remember a failure; tell whether it is news."""
        news = self.failure is None or self.failure.message != outcome.message
        self.failure = Failure(stage, outcome.message, datetime.now(UTC), outcome.version)
        keys = {"target": self._target, "stage": stage, "reason": outcome.message}
        expected = isinstance(error, _EXPECTED)
        level = logging.WARNING if news else logging.DEBUG
        logger.log(level, "pass failed", extra=keys, exc_info=None if expected else error)
        return news

    def _tell(self, stage: Stage, outcome: Outcome, wake: Wake, *, is_news: bool = True) -> None:
        self._reporter.report(
            StageReport(
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
        )


def traced(wake: Wake) -> Wake:
    """A wake that belongs to a trace: its own, or one that begins here."""
    # https://www.w3.org/TR/trace-context/#traceparent-header
    fresh = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    return wake if wake.traceparent else replace(wake, traceparent=fresh)
