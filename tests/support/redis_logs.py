"""Logs over a Redis of the test's own, and pushes for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from hub.log.base import Log, LogUnavailable
from hub.log.redis import RedisLog
from hub.log.redis_address import parse_redis_url
from hub.subscriptions import NewSubscription
from hub.wants import make_want
from tests.support.events import event, record


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[RedisLog]:
    """A log at an address."""
    log = RedisLog(parse_redis_url(url))
    await log.open()
    try:
        yield log
    finally:
        await log.close()


async def tell(log: Log, *commits: str) -> None:
    """Append a push a commit, each on its own."""
    for commit in commits:
        await log.append(record(), [event(commit)])


async def tell_until_taken(log: RedisLog, *commits: str) -> None:
    """The same, waiting while Redis is away, as the spool does."""
    for commit in commits:
        delivery, events = record(), [event(commit)]
        while True:
            await log.wait_until_up()
            try:
                await log.append_late(delivery, events)
            except LogUnavailable:
                await asyncio.sleep(0.01)
            else:
                break


def hourly(name: str) -> NewSubscription:
    """A subscription for an hour."""
    return NewSubscription(name, (make_want("https://h.test/a"),), timedelta(hours=1))
