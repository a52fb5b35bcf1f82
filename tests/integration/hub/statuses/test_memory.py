"""What is remembered of what was said: little, and not for ever."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.log.sqlite import SqliteLog
from hub.statuses import memory
from hub.statuses.memory import Memory, Said

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    """A log."""
    opened = SqliteLog(tmp_path)
    await opened.open()
    yield opened
    await opened.close()


async def test_what_was_said_is_known_to_the_next_hub(log: SqliteLog) -> None:
    """Of as many commits as a target has pushes that matter."""
    one = Memory(log, lambda: NOW)
    for number in range(memory.LINES_MOST + 5):
        await one.say("shop", f"line {number}", Said("success", "digest", number))
    other = Memory(log, lambda: NOW)
    assert await other.said("shop", "line 4") is None
    assert await other.said("shop", "line 5") == Said("success", "digest", 5)
    assert await other.said("till", "line 5") is None


async def test_what_no_hub_has_noted_is_nothing(log: SqliteLog) -> None:
    """It keeps nobody from saying something."""
    for number, said in enumerate(({"a": 1}, {"a": ["x"]}, [], "x", {"a": [1, 2, 3]})):
        await log.note(f"{memory.PREFIX}{number}", {"said": said})
        assert await Memory(log, lambda: NOW).said(str(number), "a") is None


async def test_old_targets_are_forgotten_and_those_beyond_a_number(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest stay."""
    monkeypatch.setattr(memory, "TARGETS_MOST", 3)
    at = NOW
    remembering = Memory(log, lambda: at)
    for days in (0, 20, 21, 22, 23):
        at = NOW + timedelta(days=days)
        await remembering.say(f"t{days}", "a", Said("success", "digest"))
    await remembering.tidy()
    assert list(await log.notes("")) == [f"{memory.PREFIX}t{days}" for days in (21, 22, 23)]
    at = NOW + timedelta(days=52)
    await remembering.tidy()
    assert list(await log.notes("")) == [f"{memory.PREFIX}t{days}" for days in (22, 23)]
    assert await remembering.said("t21", "a") is None
