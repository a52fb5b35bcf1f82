"""
Notes in the embedded log.

The statements are plain functions over a connection, as in `sqlite_events`.
"""

import sqlite3
from typing import Any

from hub.log import notes
from hub.log.readable import readable
from hub.log.sqlite_events import LAST_CHARACTER
from hub.log.sqlite_reader import Reader
from hub.log.sqlite_writer import GroupCommitWriter


def write_note(connection: sqlite3.Connection, name: str, value: dict[str, Any] | None) -> None:
    """Remember something under a name, or nothing."""
    if value is None:
        connection.execute("DELETE FROM notes WHERE name = ?", (name,))
        return
    text = notes.written(value).decode()
    connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, text))


def read_note(connection: sqlite3.Connection, name: str) -> dict[str, Any] | None:
    """What is noted under a name."""
    stored = connection.execute("SELECT value FROM notes WHERE name = ?", (name,))
    return next(iter(readable(lambda row: notes.read(row[0]), stored)), None)


def read_notes(connection: sqlite3.Connection, prefix: str) -> dict[str, dict[str, Any]]:
    """What is noted under names that begin so, by name."""
    stored = connection.execute(
        "SELECT name, value FROM notes WHERE name >= ? AND name < ? ORDER BY name",
        (prefix, prefix + LAST_CHARACTER),
    )
    return dict(readable(lambda row: (row[0], notes.read(row[1])), stored))


class SqliteNotes:
    """The `NoteStore` of the embedded log, which says how its file is read and written."""

    _writer: GroupCommitWriter
    _following: Reader

    async def note(self, name: str, value: dict[str, Any] | None) -> None:
        """Remember something small under a name, replacing what was there; None forgets it."""
        await self._writer.run(lambda c: write_note(c, name, value))

    async def noted(self, name: str) -> dict[str, Any] | None:
        """What is noted under a name."""
        return await self._following.ask(lambda c: read_note(c, name))

    async def notes(self, prefix: str) -> dict[str, dict[str, Any]]:
        """What is noted under names that begin so, by name; the names are in order."""
        return await self._following.ask(lambda c: read_notes(c, prefix))
