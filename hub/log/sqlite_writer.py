"""
One thread that writes to SQLite, many callers per commit.

A commit with synchronous=FULL waits for the disk. Everything that arrives during that wait goes
into the next commit together, so the disk's latency is paid once a batch and not once a call.
"""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeVar

from hub.log.base import LogUnavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], Any]

BATCH_LIMIT = 512  # rows or so a commit; bounds how long the first caller of a batch waits


@dataclass(frozen=True, slots=True)
class _Call:
    operation: Operation
    weight: int
    future: "asyncio.Future[Any]"


@dataclass(frozen=True, slots=True)
class _Outcome:
    call: _Call
    result: Any = None
    error: Exception | None = None


class GroupCommitWriter:
    """Runs operations in order on one connection, in as few commits as the load allows."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        on_commit: Callable[[Sequence[Any]], None],
    ) -> None:
        """
        Args:
            connection: opened with `check_same_thread=False` and `isolation_level=None`.
            on_commit: called on the event loop with the results of each committed batch, in
                order, before the callers go on.
        """
        self._connection = connection
        self._on_commit = on_commit
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Call | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="hub log writer", daemon=True)
        self._thread.start()

    async def run(self, operation: Callable[[sqlite3.Connection], T], weight: int = 1) -> T:
        """
        The operation's result, once it is committed; `weight` is about how many rows it writes.

        Raises:
            LogUnavailable: nothing of it was stored (disk full, disk gone, log closed).
        """
        if self._closed:
            raise LogUnavailable("the log is closed")
        call = _Call(operation, weight, self._loop.create_future())
        self._queue.put(call)
        # Shielded: a caller that goes away must not undo what is on its way to the disk.
        result: T = await asyncio.shield(call.future)
        return result

    async def close(self) -> None:
        """Commit what was accepted, then stop the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while (batch := self._next_batch()) is not None:
            outcomes = self._commit(batch)
            self._loop.call_soon_threadsafe(self._settle, outcomes)

    def _next_batch(self) -> list[_Call] | None:
        first = self._queue.get()
        if first is None:
            return None
        batch, weight = [first], first.weight
        while weight < BATCH_LIMIT and not self._queue.empty():
            call = self._queue.get()
            if call is None:
                self._queue.put(None)  # the end is for the next round; this batch is owed a commit
                break
            batch.append(call)
            weight += call.weight
        return batch

    def _commit(self, batch: list[_Call]) -> list[_Outcome]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            results = [call.operation(self._connection) for call in batch]
            self._connection.execute("COMMIT")
        except Exception as error:  # the thread must outlive whatever it is given
            is_disks = isinstance(error, sqlite3.OperationalError)
            # Whoever is refused says so; a full disk needs no traceback for each of them.
            level = logging.DEBUG if is_disks else logging.ERROR
            logger.log(level, "log write failed", exc_info=True, extra={"operations": len(batch)})
            self._roll_back()
            if len(batch) > 1 and not is_disks:
                # Not the disk but one of them: the others must not pay for it.
                return [outcome for call in batch for outcome in self._commit([call])]
            return [_Outcome(call, error=_unavailable(error)) for call in batch]
        return [_Outcome(call, result) for call, result in zip(batch, results, strict=True)]

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            logger.exception("log rollback failed")

    def _settle(self, outcomes: list[_Outcome]) -> None:
        results = [outcome.result for outcome in outcomes if outcome.error is None]
        if results:
            self._on_commit(results)
        for outcome in outcomes:
            if outcome.call.future.done():
                continue
            if outcome.error is not None:
                outcome.call.future.set_exception(outcome.error)
            else:
                outcome.call.future.set_result(outcome.result)


def _unavailable(error: Exception) -> LogUnavailable:
    failure = LogUnavailable(f"the log takes no writes: {error}")
    failure.__cause__ = error
    return failure
