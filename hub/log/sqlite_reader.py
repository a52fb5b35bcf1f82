"""
One connection that reads the embedded log, for one reader at a time.

Who follows the log and who looks things up have one each: a person's search may take a second, and
nobody who catches up shall wait for it.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from hub.log.base import LogUnavailable

T = TypeVar("T")


class Reader:
    """Asks questions of a connection, each in a thread and of one state of the file."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._turn = asyncio.Lock()

    async def ask(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """
        What a query finds.

        Raises:
            LogUnavailable: the file cannot be read.
        """
        async with self._turn:
            reading = asyncio.create_task(
                asyncio.to_thread(_in_snapshot, self._connection, query), name="read the log"
            )
            try:
                return await asyncio.shield(reading)
            except asyncio.CancelledError:
                await asyncio.wait([reading])  # the connection is the thread's until it is done
                raise
            except sqlite3.Error as error:
                raise LogUnavailable(f"{self._path}: {error}") from error

    async def finish(self) -> None:
        """Wait until nothing is asked any more."""
        async with self._turn:
            pass


def _in_snapshot(connection: sqlite3.Connection, query: Callable[[sqlite3.Connection], T]) -> T:
    with _snapshot(connection):
        return query(connection)


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
