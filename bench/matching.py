"""
Many subscriptions in one hub: what each takes, and what a push or a lease has to do with them.

Most repositories have a name of their own; a thousand are named alike, by as many owners, because
what was probably meant is looked for by the last word. Wide subscriptions are those of a server
that follows a thousand repositories, one of them named alike. The reference is a look into a
set of as many. Memory is what Python has allocated; CPU is the median of several rounds.
"""

import asyncio
import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from hub.log.redis import RedisLog
from hub.log.redis_address import parse_redis_url
from hub.log.values import SubscriptionRow
from hub.matching import Index
from hub.rules import from_row
from hub.subscriptions import NewSubscription, Registry
from tests.support.redis_servers import single

SUBSCRIPTIONS = 100_000
ALIKE = 1_000
WIDE = 1_000
ROUNDS = 9
CALLS = 30
HOUR = timedelta(hours=1)
FAR = datetime(2100, 1, 1, tzinfo=UTC)
_ENCODE = msgspec.json.Encoder().encode
_ROW = msgspec.json.Decoder(SubscriptionRow)


def row(number: int, *urls: str) -> SubscriptionRow:
    """A subscription to the main branches of repositories, as the log has it."""
    wants = [{"url": url, "ref": "main"} for url in urls]
    return SubscriptionRow(f"sub_{number:024x}", f"s{number}", {"repositories": wants}, FAR)


def narrow(number: int) -> SubscriptionRow:
    """One to one repository."""
    name = "docs" if number < ALIKE else f"app-{number}"
    return row(number, f"https://git.example.com/team-{number}/{name}.git")


def wide(number: int) -> SubscriptionRow:
    """One to a thousand repositories of one team."""
    names = ["docs", *(f"app-{number}-{one}" for one in range(1, WIDE))]
    return row(number, *(f"https://git.example.com/team-{number}/{name}.git" for name in names))


def cost_us(function: Callable[[], object]) -> float:
    """CPU of one call."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(CALLS):
            function()
        rounds.append((time.process_time() - began) / CALLS * 1e6)
    return statistics.median(rounds)


def look_us(index: Index, key: str) -> float:
    """CPU of finding whom a push to the main branch of a repository is for."""
    keys, refs, now = frozenset({key}), ["refs/heads/main"], datetime.now(UTC)
    return cost_us(lambda: index.match(keys, refs, now))


def filled(title: str, made: list[SubscriptionRow]) -> Index:
    """An index of subscriptions; prints what one repository takes in a hub, rows included."""
    texts = [_ENCODE(one) for one in made]
    tracemalloc.start()
    rows, index = [_ROW.decode(text) for text in texts], Index()
    for one in rows:
        index.put(from_row(one))
    used = tracemalloc.get_traced_memory()[0] / 1024
    tracemalloc.stop()
    wanted = sum(len(one.body["repositories"]) for one in rows)
    each, stored = used / wanted, sum(map(len, texts)) / wanted
    print(f"{len(rows):,} subscriptions {title}; of one repository {each:.2f} KiB in a hub,")
    print(f"  {stored:.0f} B in Redis")
    return index


def main() -> None:
    """Make them, and look for some."""
    rows = [narrow(number) for number in range(SUBSCRIPTIONS)]
    names = {one.name for one in rows}
    least = cost_us(lambda: "s77777" in names)
    index = filled("to one repository", rows)
    team = f"git.example.com/team-{ALIKE}"
    told("a push that one wants", look_us(index, f"{team}/app-{ALIKE}"), least)
    told("a push that nobody wants", look_us(index, f"{team}/nothing"), least)
    told(f"one of {ALIKE:,} named alike", look_us(index, "git.example.com/team-7/docs"), least)
    rows = [wide(number) for number in range(SUBSCRIPTIONS // WIDE)]
    index = filled(f"to {WIDE:,}", rows)
    told("a push that one wants", look_us(index, "git.example.com/team-7/app-7-77"), least)
    told(f"one of {len(rows)} named alike", look_us(index, "git.example.com/team-7/docs"), least)
    with TemporaryDirectory() as directory, single(Path(directory)) as redis:
        told("a lease, at two hubs", asyncio.run(renewed_us(redis.url, rows)), least)


async def renewed_us(url: str, rows: list[SubscriptionRow]) -> float:
    """CPU of renewing a lease at one hub and of hearing of it at another one."""
    logs = [RedisLog(parse_redis_url(url)) for _ in range(2)]
    here, there = (Registry(log) for log in logs)
    for log in logs:
        await log.open()
    for one in rows:
        wanted = NewSubscription(one.name, from_row(one).wants, HOUR)
        await here.put(wanted, datetime.now(UTC))
    await there.refresh()
    began = time.process_time()
    for known in here.all():
        await here.renew(known.id, HOUR, datetime.now(UTC))
        await there.refresh()
    cost = (time.process_time() - began) / len(rows) * 1e6
    for log in logs:
        await log.close()
    return cost


def told(what: str, cost: float, least: float) -> None:
    """Print a cost."""
    print(f"{what:>32}: {cost:8.1f} us, {cost / least:,.0f} times a look into a set")


if __name__ == "__main__":
    gc.disable()
    main()
