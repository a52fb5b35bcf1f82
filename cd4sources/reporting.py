"""Telling the hub how far a push has come: in order, patiently, and never in anyone's way."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NoReturn, Protocol

from cd4sources.backoff import Backoff, Outage
from cd4sources.http import BadStatus, HttpError
from cd4sources.hub_api import HubApi, why

MAX_QUEUED_REPORTS = 1_000
"""Reports kept while the hub is away: hours of passes, under 1 MB."""

MAX_MESSAGE_CHARACTERS = 2_000
"""A timeline shows a reason, not a log."""

REPORT_TIMEOUT_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.2
MOST_PAUSE_SECONDS = 30.0

REFUSED_FOR_GOOD = frozenset({400, 413, 415, 422})
"""Statuses that say the report itself is at fault: sending it again cannot help."""

_NEWER_KEYS = frozenset({"caught", "commits"})
"""An older hub knows neither, and refuses what it does not know."""

_NOT_OF_ITS_FORM = "invalid-request"
"""The code that it refuses with."""

NOT_OURS = "repository-forbidden"
"""The code of another such: the hub's token is not for the repository of this push."""

Stage = Literal["notified", "fetched", "built", "published", "downloaded", "running", "stopped"]
"""`running`: the new program is healthy; `stopped`: the one before it has ended."""

Result = Literal["ok", "failed", "rolled_back", "quarantined", "skipped", "unchanged"]
"""`quarantined`: is not started again; `skipped`: a newer push was looked at in its place."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReport:
    """One stage of one push's way. `message` is shown to people and must hold no secrets."""

    target: str
    version: str | None
    stage: Stage
    result: Result
    started_at: datetime
    ended_at: datetime
    traceparent: str | None
    message: str = ""
    reporter: str = ""
    reason: str = ""
    """Why the look began, as a `wakes.Reason`; told in this process only."""
    commits: tuple[tuple[str, str], ...] = ()
    """The repositories that a fetch found changed: name and full hash of each."""
    is_caught: bool = False
    """Of a fetch: whether only a poll has found what changed, because nobody announced it."""
    is_news: bool = True
    """False for what has been told before, such as the same failure once more."""


class Witness(Protocol):
    """Who is told in this process what happens; it must not block."""

    def began(self, target: str, stage: Stage, version: str | None) -> None:
        """A stage begins; `ended` follows."""

    def ended(self, report: StageReport) -> None:
        """A stage has ended, with news or without; of `notified` nobody is told the beginning."""


Post = Callable[[StageReport], Awaitable[None]]
"""Brings one report to the hub; raises HttpError when it did not arrive."""


def post_over_http(hub: HubApi) -> Post:
    """How reports get to a hub, also to an older one."""

    async def sent(document: Mapping[str, object]) -> None:
        await hub.post("/v1/reports", document, timeout_seconds=REPORT_TIMEOUT_SECONDS)

    async def post(report: StageReport) -> None:
        document = report_document(report)
        try:
            await sent(document)
        except BadStatus as error:
            if error.problem.code != _NOT_OF_ITS_FORM:
                raise
            await sent({k: v for k, v in document.items() if k not in _NEWER_KEYS})

    return post


class Reporter:
    """
    Takes reports without ever blocking and posts them to the hub one after the other.

    Args:
        post: How one gets there; None: reports are dropped.
        witness: Who else is told. Default: nobody.
    """

    def __init__(self, post: Post | None, witness: Witness | None = None) -> None:
        """Begin with nothing to post."""
        self._deliver = post
        self._witness = witness
        self._queue: deque[StageReport] = deque()
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()
        self.dropped = 0

    def began(self, target: str, stage: Stage, version: str | None) -> None:
        """Tell the witness that a stage begins."""
        if self._witness:
            with _tolerated():
                self._witness.began(target, stage, version)

    def report(self, report: StageReport) -> None:
        """Tell the witness, and take what is news for the hub; the oldest go when too many wait."""
        if self._witness:
            with _tolerated():
                self._witness.ended(report)
        # A hub files reports under their trace: one without has no place there.
        if self._deliver is None or not report.traceparent or not report.is_news:
            return
        if len(self._queue) >= MAX_QUEUED_REPORTS:
            self._queue.popleft()
            self.dropped += 1
        self._queue.append(report)
        self._emptied.clear()
        self._filled.set()

    async def run(self) -> NoReturn:
        """Post what is reported, for ever; cancel to end."""
        outage = Outage("hub's reports", Backoff(FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS))
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._queue:
                await self._post(self._queue.popleft(), outage)
            self._emptied.set()

    async def posted(self, patience_seconds: float) -> None:
        """Wait until everything is posted, but not for longer than this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_seconds):
                await self._emptied.wait()

    async def _post(self, report: StageReport, outage: Outage) -> None:
        """Post one report until it arrives, so that those behind it keep their order."""
        if self._deliver is None:
            return
        while True:
            pause_seconds = await _attempt(self._deliver, report, outage)
            if pause_seconds is None:
                return
            await asyncio.sleep(pause_seconds)


@contextmanager
def _tolerated() -> Iterator[None]:
    """What goes wrong with telling is nobody's affair but the log's."""
    try:
        yield
    except Exception:
        logger.exception("cannot tell of a stage")


async def _attempt(deliver: Post, report: StageReport, outage: Outage) -> float | None:
    """Return None when the report is done with, else the seconds until the next attempt."""
    try:
        await deliver(report)
    except BadStatus as error:
        if error.status in REFUSED_FOR_GOOD or error.problem.code == NOT_OURS:
            logger.warning("report refused and dropped", extra={"reason": str(error)})
            return None
        return max(error.retry_after_seconds, outage.failed(why(error)))
    except HttpError as error:
        return outage.failed(str(error))
    outage.over()
    return None


def report_document(report: StageReport) -> dict[str, object]:
    """The report as the hub's `POST /v1/reports` takes it."""
    return {
        "target": report.target,
        "version": report.version,
        "stage": report.stage,
        "result": report.result,
        "started_at": report.started_at.isoformat(),
        "ended_at": report.ended_at.isoformat(),
        "traceparent": report.traceparent,
        "message": report.message[:MAX_MESSAGE_CHARACTERS],
        "reporter": report.reporter,
        "caught": report.is_caught,
        "commits": report.commits,
    }
