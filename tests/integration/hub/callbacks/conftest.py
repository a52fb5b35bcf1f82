"""What the tests of callbacks share: an open log, one hub that posts, and a receiver."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.log.base import Log
from hub.log.sqlite import SqliteLog
from tests.support.callbacks import Worker, worker
from tests.support.receivers import Receiver, receiver


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[Log]:
    """An open, empty log."""
    engine = SqliteLog(tmp_path / "log", keep_events=1000)
    await engine.open()
    yield engine
    await engine.close()


@pytest.fixture
async def hub(log: Log) -> AsyncIterator[Worker]:
    """One hub's callbacks."""
    async with worker(log) as found:
        yield found


@pytest.fixture
async def shop() -> AsyncIterator[Receiver]:
    """A receiver that takes everything."""
    async with receiver() as found:
        yield found
