"""A Redis that will not be treated kindly, and a log on it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hub.log.redis import RedisLog
from tests.support.redis_logs import opened
from tests.support.redis_servers import RedisServer, single


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of the test's own."""
    with single(tmp_path / "redis") as started:
        yield started


@pytest.fixture
async def log(server: RedisServer) -> AsyncIterator[RedisLog]:
    """A log on it."""
    async with opened(server.url) as found:
        yield found
