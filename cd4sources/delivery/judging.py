"""What becomes of versions that ran here: remembered on disk, told to the hub and the log."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from cd4sources.delivery.installed import Installed
from cd4sources.delivery.programs import Stopped
from cd4sources.delivery.records import Delivered, Record
from cd4sources.delivery.supervising import RolledBack
from cd4sources.http_errors import HttpError
from cd4sources.reporting import Reporter, Result, Stage, StageReport

logger = logging.getLogger(__name__)


class Judge:
    """
    Decides which version may be started again, and reports how each got on.

    Args:
        installed: Where it is remembered.
        reporter: Who tells the hub.
        target: The target's name in reports, empty: the name that the server gives it.
        name: Who says so: the client's name.
        check: Raises HttpError for a version that is not to be started.
    """

    def __init__(
        self,
        installed: Installed,
        reporter: Reporter,
        target: str,
        name: str,
        *,
        check: Callable[[Record], None],
    ) -> None:
        """Judge nothing yet."""
        self._installed = installed
        self._reporter = reporter
        self._target = target
        self._name = name
        self._check = check
        self._told: tuple[str, Stage, Result] | None = None

    def is_running(self, record: Delivered, started_at: datetime) -> None:
        """Note that a version has become healthy."""
        self.report(record, "running", "ok", started_at)
        logger.info("version running", extra={"version": record.version})
        self._installed.set_current(record)

    def has_stopped(self, record: Delivered, stopped: Stopped) -> None:
        """Tell how what ran before a version has ended."""
        times = stopped.asked_at, stopped.ended_at
        self._tell(record, "stopped", "ok", times, stopped.how, is_news=True)

    def is_steady(self, version: str) -> None:
        """Note that a version has lived long: when it ends later, the reason lies elsewhere."""
        try:
            self._installed.set_steady(version)
        except OSError as error:
            keys = {"reason": self._installed.told(error)}
            logger.warning("cannot remember that a version is steady", extra=keys)

    def rolled_back(self, record: Delivered, error: RolledBack, started_at: datetime) -> None:
        """
        Quarantine a version that did not become healthy.

        One that has been healthy here before is not to blame (a full disk, a database that is
        away): with nothing better at hand it is tried again. Nor is one that this machine could
        not start or ask.

        Raises:
            RolledBack: It is to be tried again.
            OSError: The verdict holds, but could not be written down yet.
        """
        result: Result = "rolled_back" if error.kept else "failed"
        self.report(record, "running", result, started_at, str(error))
        current = self._installed.current()
        if error.blameless or (current and current.version == record.version):
            raise error
        self._quarantine(record, error.reason)

    async def gives_up(self, version: str, reason: str) -> bool:
        """
        Say whether a version that ends again and again makes way for the one before it.

        Not when it once lived long, nor when there is no other: then it is started again.
        """
        try:
            record = self._installed.current()
            if record is None or record.version != version or record.steady:
                return False
            before = await asyncio.to_thread(self._installed.before, version)
            if before is None:
                return False
            self._check(before)
            self._installed.set_current(before)
        except (HttpError, OSError) as error:
            keys = {"reason": self._installed.told(error)}
            logger.warning("cannot go back to the version before", extra=keys)
            return False
        self._replaced(record, before, reason)
        return True

    def _replaced(self, record: Delivered, before: Delivered, reason: str) -> None:
        told = f"{record.version} was rolled back: {reason}; {before.version} starts in its place"
        self.report(record, "running", "rolled_back", datetime.now(UTC), told)
        try:
            self._quarantine(record, reason)
        except OSError as error:
            keys = {"version": record.version, "reason": self._installed.told(error)}
            logger.warning("quarantine cannot be written yet", extra=keys)

    def begins(self, record: Delivered, stage: Stage) -> None:
        """Tell who watches in this process that a stage begins."""
        self._reporter.began(self._target or record.target, stage, record.version)

    def report(
        self,
        record: Delivered,
        stage: Stage,
        result: Result,
        started_at: datetime,
        message: str = "",
    ) -> None:
        """Tell the hub of one stage that has just ended; of the same failure only once."""
        is_news = result != "unchanged" and self._is_news((record.version, stage, result))
        times = started_at, datetime.now(UTC)
        self._tell(record, stage, result, times, message, is_news=is_news)

    def _tell(
        self,
        record: Delivered,
        stage: Stage,
        result: Result,
        times: tuple[datetime, datetime],
        message: str,
        *,
        is_news: bool,
    ) -> None:
        self._reporter.report(
            StageReport(
                target=self._target or record.target,
                version=record.version,
                stage=stage,
                result=result,
                started_at=times[0],
                ended_at=times[1],
                traceparent=record.traceparent,
                message=message,
                reporter=self._name,
                is_news=is_news,
            )
        )

    def _is_news(self, told: tuple[str, Stage, Result]) -> bool:
        before, self._told = self._told, told
        return told != before or told[2] == "ok"

    def _quarantine(self, record: Delivered, reason: str) -> None:
        version = record.version
        step = self._installed.next_step(version)
        keys = {"version": version, "reason": reason, "next": step}
        logger.error("version rolled back and quarantined", extra=keys)
        told = f"{version} is not started again: {reason}"
        self.report(record, "running", "quarantined", datetime.now(UTC), told)
        self._installed.quarantine(version, reason)
