"""The embedded log (the default): one SQLite file, no server, one hub process."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from hub.log import sqlite_deliveries, sqlite_events, sqlite_records, sqlite_reports
from hub.log.base import Listener, LogUnavailable, tell
from hub.log.locking import lock_directory
from hub.log.probing import prove_room
from hub.log.sqlite_callbacks import SqliteCallbacks
from hub.log.sqlite_deliveries import SqliteDeliveries
from hub.log.sqlite_notes import SqliteNotes
from hub.log.sqlite_reader import Reader
from hub.log.sqlite_schema import prepare
from hub.log.sqlite_writer import GroupCommitWriter
from hub.log.values import (
    Appended,
    Cursor,
    DeliveryRecord,
    Event,
    Gap,
    Head,
    NewEvent,
    Origin,
    StageReport,
    SubscriptionChanges,
    SubscriptionRow,
)

T = TypeVar("T")

PRUNE_EVERY = 1_000  # deliveries between two prunings


@dataclass(frozen=True, slots=True)
class _Stored:
    """What one append left behind: the answer to its caller, the news for the listeners."""

    appended: Appended
    events: list[Event]


class SqliteLog(SqliteCallbacks, SqliteDeliveries, SqliteNotes):
    """The `Log` protocol over one SQLite file in WAL mode, synchronous=FULL."""

    channels: tuple[str, ...] = ()

    def __init__(
        self,
        directory: Path,
        *,
        keep_events: int = 100_000,
        keep_deliveries: int = 10_000,
        deduplication_seconds: float = 600.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self._path = directory / "log.sqlite3"
        self._keep = (keep_events, keep_deliveries)
        self._deduplication_seconds = deduplication_seconds
        self._clock = clock
        self._listeners: list[Listener] = []
        self._since_prune = 0
        self._resources = ExitStack()

    async def open(self) -> None:
        """
        Open or create the log, on the event loop that will use it.

        Raises:
            LogInUse: another process has this directory open.
            LogUnavailable: the directory cannot be used.
        """
        with ExitStack() as resources:
            advice = "the embedded log serves one process"
            resources.enter_context(lock_directory(self._path.parent, advice))
            try:
                connection = resources.enter_context(closing(_open(self._path)))
                readers = [resources.enter_context(closing(_open(self._path))) for _ in range(2)]
                self._epoch = sqlite_events.birth(connection, self._clock())
                self._head = Cursor(self._epoch, *sqlite_events.last_position(connection))
            except sqlite3.Error as error:
                raise LogUnavailable(f"{self._path}: {error}{_mended_by(error)}") from error
            self._following, self._looking = (Reader(one, self._path) for one in readers)
            self._writer = GroupCommitWriter(connection, self._committed)
            self._resources = resources.pop_all()

    @property
    def head(self) -> Cursor:
        """The newest event published to listeners (position 0 in an empty log)."""
        return self._head

    def listen(self, listener: Listener) -> None:
        """Call `listener` on the event loop with every batch of new events, in order."""
        self._listeners.append(listener)

    async def append(self, delivery: DeliveryRecord, events: Sequence[NewEvent]) -> Appended:
        """
        Store a delivery, its events and the use of its secret; returns when all are on disk.

        Raises:
            LogUnavailable: nothing was stored.
        """
        stored = await self._writer.run(
            lambda c: self._append(c, delivery, events), weight=len(events) + 1
        )
        return stored.appended

    def _append(
        self, connection: sqlite3.Connection, delivery: DeliveryRecord, events: Sequence[NewEvent]
    ) -> "_Stored":
        received_at = delivery.received_at.timestamp()
        moment = sqlite_events.Moment(
            received_at,
            self._clock().timestamp(),
            received_at + self._deduplication_seconds,
            sqlite_deliveries.next_number(connection),
        )
        results = [
            sqlite_events.append_event(connection, self._epoch, event, moment) for event in events
        ]
        appended = sqlite_deliveries.append_delivery(
            connection, delivery, [event for _, event in results]
        )
        self._since_prune += 1
        if self._since_prune >= PRUNE_EVERY:
            self._since_prune = 0
            sqlite_records.prune(connection, *self._keep, received_at)
        cursors = tuple(cursor for cursor, _ in results)
        return _Stored(replace(appended, cursors=cursors), [event for _, event in results if event])

    def _committed(self, results: Sequence[Any]) -> None:
        stored = [result for result in results if isinstance(result, _Stored)]
        events = [event for one in stored for event in one.events]
        if not events:
            return
        self._head = events[-1].cursor
        tell(self._listeners, events)

    async def read(self, after: Cursor, limit: int) -> list[Event] | Gap:
        """At most `limit` events that follow `after`, oldest first; a Gap when it is not ours."""
        return await self._following.ask(lambda c: self._read(c, after, limit))

    def _read(self, connection: sqlite3.Connection, after: Cursor, limit: int) -> list[Event] | Gap:
        gap = self._gap(connection, after)
        if gap is not None:
            return gap
        try:
            return sqlite_events.read_events(connection, after.position, limit)
        except ValueError:
            return Gap("the log holds an entry that no hub wrote")

    def _gap(self, connection: sqlite3.Connection, after: Cursor) -> Gap | None:
        if after.epoch != self._epoch:
            return Gap("this is another log than the one the cursor comes from")
        newest = sqlite_events.last_position(connection)[0]
        if after.position > newest:
            return Gap("the log was set back to an older state")
        oldest = sqlite_events.oldest_position(connection)
        if oldest is not None and after.position < oldest - 1:
            return Gap("the log no longer reaches back to the cursor")
        tag = sqlite_events.tag_at(connection, after.position)
        if tag is not None and tag != after.tag:
            return Gap("the log was set back, and its positions were used again")
        return None

    async def put_subscription(
        self, row: SubscriptionRow, replaces: SubscriptionRow | None
    ) -> bool:
        """Store a subscription if `replaces` is what is stored; whether it was."""
        return await self._writer.run(lambda c: sqlite_records.put_subscription(c, row, replaces))

    async def delete_subscription(self, subscription_id: str) -> None:
        """Forget a subscription; unknown ids are no error."""
        await self._writer.run(lambda c: sqlite_records.delete_subscription(c, subscription_id))

    async def subscriptions(self) -> list[SubscriptionRow]:
        """Every stored subscription."""
        return await self._following.ask(sqlite_records.read_subscriptions)

    async def changed_subscriptions(self) -> SubscriptionChanges:
        """Nothing: no other hub uses this log."""
        return SubscriptionChanges()

    async def heads(self, subject_prefix: str, limit: int) -> list[Head]:
        """Where the refs whose subject begins so stand, by subject."""
        return await self._looking.ask(lambda c: sqlite_events.read_heads(c, subject_prefix, limit))

    async def report(self, report: StageReport) -> None:
        """Remember one stage report."""
        await self._writer.run(lambda c: sqlite_reports.insert_report(c, report))

    async def targets(self, limit: int) -> list[str]:
        """The targets that were reported about, the latest first."""
        return await self._looking.ask(lambda c: sqlite_reports.read_targets(c, limit))

    async def reported(self, since: float) -> dict[str, float]:
        """The targets that were reported about since a moment, with that of the newest report."""
        return await self._following.ask(lambda c: sqlite_reports.read_reported(c, since))

    async def reports(self, target: str, limit: int) -> list[StageReport]:
        """The newest reports about a target, oldest first."""
        return await self._looking.ask(lambda c: sqlite_reports.read_reports(c, target, limit))

    async def origins(self, trace_ids: Collection[str]) -> dict[str, Origin]:
        """The pushes that traces began with, as far as they are remembered."""
        return await self._following.ask(lambda c: sqlite_reports.read_origins(c, trace_ids))

    async def check(self) -> str:
        """
        Write and commit something harmless; an embedded log is never degraded.

        Raises:
            LogUnavailable: the log takes no writes.
        """
        try:
            await asyncio.to_thread(prove_room, self._path.parent)
        except OSError as error:
            raise LogUnavailable(f"{self._path.parent}: {error.strerror or error}") from error
        now = int(self._clock().timestamp())
        await self._writer.run(
            lambda c: c.execute("INSERT OR REPLACE INTO meta VALUES ('checked', ?)", (now,))
        )
        return ""

    async def close(self) -> None:
        """Finish what was accepted and release the directory."""
        await self._writer.close()
        for reader in (self._following, self._looking):
            await reader.finish()
        self._resources.close()


def _mended_by(error: sqlite3.Error) -> str:
    if isinstance(error, sqlite3.OperationalError):
        return ""
    return "; move it away: the hub begins a new log, and servers look at everything once"


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # G1: a 2xx means the push is on disk
    prepare(connection)
    return connection
