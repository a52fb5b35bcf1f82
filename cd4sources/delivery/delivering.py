"""
The rounds of a client: ask which version there is, get it if it is not here, have it run.

Every round is the same, whatever happened before. What fails is tried again; what runs goes on
running meanwhile.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, NoReturn, Protocol, TypeVar

from cd4sources.backoff import Backoff, Outage
from cd4sources.delivery.installed import Installed
from cd4sources.delivery.judging import Judge
from cd4sources.delivery.records import Delivered, Record
from cd4sources.delivery.supervising import RolledBack, Supervisor
from cd4sources.http_errors import HttpError

FIRST_PAUSE_SECONDS = 0.2
MOST_PAUSE_SECONDS = 5.0
"""Bounds of the pauses between rounds that fail."""

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

Round = Literal["started", "unchanged", "refused", "failed"]
"""What one round came to: the newest version runs now, ran before, did not become healthy, or could
not be tried."""


class Watching(Protocol):
    """Knows which version there is."""

    async def news(self, *, patient: bool, running: str = "") -> Delivered | None:
        """Return another version than the last one; None when there is none (in time)."""

    def delivered(self, version: Delivered) -> None:
        """Note that a version is here."""

    def failed(self, version: Delivered) -> None:
        """Note that a version could not be had: it is news once more."""

    def ask_anew(self) -> None:
        """Ask as if nothing was known."""


class Downloading(Protocol):
    """Brings versions here."""

    @property
    def check(self) -> Callable[[Record], None]:
        """Raises HttpError for a version that is not to be started."""

    async def has(self, record: Delivered) -> bool:
        """Tell whether a version is here whole."""

    async def get(self, record: Delivered) -> Path:
        """Return a version's executable, brought here unless it is. Raises HttpError, OSError."""


class Delivery:
    """
    Round after round, until it is cancelled.

    Args:
        watch: Knows which version there is.
        downloads: Gets it.
        installed: The versions that are here.
        supervisor: Runs one of them.
        judge: Decides about those that fail.
    """

    def __init__(
        self,
        watch: Watching,
        downloads: Downloading,
        installed: Installed,
        supervisor: Supervisor,
        judge: Judge,
    ) -> None:
        """Begin with whatever an earlier life left on disk."""
        self._watch = watch
        self._downloads = downloads
        self._installed = installed
        self._supervisor = supervisor
        self._judge = judge
        self._tried = ""  # the version that was started last, in this round
        self._has_fallen = False  # nothing has run since we fell back

    async def run(self, settled: asyncio.Event | None = None) -> NoReturn:
        """Deliver; cancel to end. `settled` is set when the first round is over."""
        outage = Outage("delivery", Backoff(FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS))
        while True:
            self._tried = ""
            # The last step is a no-op while something runs.
            steps = (self._write_verdicts, self._look, self._fall_back)
            reasons = [await self._attempt(step) for step in steps]
            reason = "; ".join(dict.fromkeys(filter(None, reasons)))
            if settled:
                settled.set()
            if reason:
                await asyncio.sleep(outage.failed(reason))
            else:
                outage.over()

    async def once(self, running: Callable[[], Awaitable[frozenset[str]]]) -> Round:
        """
        Make one round.

        Args:
            running: Tells which versions run that an earlier life has started.
        """
        record, left = await self._watch.news(patient=False), await running()
        self._tell_of(left)
        if record is None or self._is_served(record, left):
            reason = "" if left else await self._attempt(self._fall_back)
            return "failed" if reason else "unchanged"
        reason = await self._attempt(partial(self._deliver, record, is_served=bool(left)))
        if self._supervisor.version == record.version:
            return "started"
        if not await running():
            reason = await self._attempt(self._fall_back) or reason
        if reason:
            logger.warning("round failed", extra={"reason": reason})
        return "failed" if reason else "refused"

    def _is_served(self, record: Delivered, left: frozenset[str]) -> bool:
        """Whether a version runs, was healthy, and no other one runs beside it."""
        current = self._installed.current()
        return left == {record.version} and current is not None and current.version in left

    def _tell_of(self, left: frozenset[str]) -> None:
        """Say what runs already: whoever looks at us has not seen it start."""
        current = self._installed.current()
        if current and current.version in left:
            since = current.healthy_at or datetime.now(UTC)
            self._judge.report(current, "running", "unchanged", since)

    async def _attempt(self, step: Callable[[], Awaitable[None]]) -> str:
        """Do one step of a round; return why it failed, empty when it did not."""
        try:
            await step()
        except (HttpError, RolledBack, OSError) as error:
            return self._installed.told(error)
        except Exception as error:
            # Whatever it is, what runs goes on running and the next round tries again.
            logger.exception("round failed")
            return type(error).__name__
        return ""

    async def _write_verdicts(self) -> None:
        self._installed.write_verdicts()

    async def _look(self) -> None:
        """Ask for a version other than the last one seen, and see to it that it runs."""
        record = await self._news()
        if record is None:
            return
        try:
            await self._deliver(record)
        except (HttpError, OSError, RolledBack):
            self._watch.failed(record)
            raise
        self._watch.delivered(record)

    async def _news(self) -> Delivered | None:
        """Ask for news, until the program is given up meanwhile."""
        # With a version at hand and nothing running, or a disk to be tried again, that comes first.
        running = self._supervisor.version or ""
        idle = not running and self._installed.current() is not None
        self._supervisor.given_up.clear()
        patient = not idle and not self._installed.owes_verdicts
        news = self._watch.news(patient=patient, running=running)
        return await self._unless_given_up(news)

    async def _unless_given_up(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        """Do what may take long; None when the program was given up meanwhile."""
        doing = asyncio.create_task(work, name="deliver")
        given_up = asyncio.create_task(self._supervisor.given_up.wait(), name="program given up")
        try:
            await asyncio.wait({doing, given_up}, return_when=asyncio.FIRST_COMPLETED)
            return doing.result() if doing.done() else None
        finally:
            doing.cancel()
            given_up.cancel()
            await asyncio.gather(doing, given_up, return_exceptions=True)

    async def _deliver(self, record: Delivered, *, is_served: bool = False) -> None:
        reason = self._installed.quarantined(record.version)
        if reason is not None:
            step = self._installed.next_step(record.version)
            keys = {"version": record.version, "reason": reason, "next": step}
            logger.warning("version is quarantined, not starting it", extra=keys)
            return
        path = await self._fetched(record, is_served=is_served)
        if record.version == self._supervisor.version:
            self._installed.set_current(record)  # the disk may have been full before
        else:
            await self._swap(record, path)

    async def _fetched(self, record: Delivered, *, is_served: bool) -> Path:
        """Have a version here; not at the price of nothing running meanwhile."""
        self._supervisor.given_up.clear()
        idle = not is_served and self._supervisor.version is None
        if idle and not await self._downloads.has(record):
            # What is at hand runs while the download takes its time.
            reason = await self._attempt(self._fall_back)
            if reason:
                logger.warning("cannot fall back", extra={"reason": reason})
        path = await self._unless_given_up(self._downloads.get(record))
        if path is None:
            raise InterruptedError(f"{record.version} has to wait: the program was given up")
        return path

    async def _swap(self, record: Delivered, path: Path) -> None:
        """Have a version run; the judge decides about it when it cannot."""
        started_at = datetime.now(UTC)
        current = self._installed.current()
        self._judge.begins(record, "running")
        self._tried = record.version
        try:
            stopped = await self._supervisor.swap(
                record.version,
                path,
                lambda: self._judge.is_running(record, started_at),
                proven=current is not None and current.version == record.version,
            )
        except RolledBack as error:
            self._judge.rolled_back(record, error, started_at)
        else:
            self._has_fallen = False
            if stopped:
                self._judge.has_stopped(record, stopped)

    async def _fall_back(self) -> None:
        """Start the last version that was healthy when nothing else runs."""
        current = self._installed.current()
        if current is None or self._supervisor.version is not None:
            return
        if current.version == self._tried:
            return  # a moment ago
        self._downloads.check(current)  # it may be older than the keys
        level = logging.DEBUG if self._has_fallen else logging.WARNING
        logger.log(level, "falling back to the last version", extra={"version": current.version})
        self._has_fallen = True
        path = await asyncio.to_thread(self._installed.path, current)
        if path is None:
            self._watch.ask_anew()
            path = await self._downloads.get(current)
        await self._swap(current, path)
