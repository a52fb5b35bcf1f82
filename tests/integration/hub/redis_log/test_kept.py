"""What a Redis keeps: pushes once, heads, subscriptions and dead letters, and its searches."""

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.log import redis_callbacks, redis_deliveries
from hub.log.delivered import Document, Wanted
from hub.log.redis import RedisLog
from hub.log.redis_address import parse_redis_url
from hub.log.values import DeadLetter
from hub.subscriptions import Registry
from hub.wants import make_want
from tests.support.events import NOW, SUBJECT, event, record
from tests.support.redis_logs import hourly, opened
from tests.support.redis_servers import RedisServer

KEY = "directcd:{log}:"
HOUR = timedelta(hours=1)


async def test_the_same_append_again_is_known_by_its_nonce(server: RedisServer) -> None:
    """Also when it is tried again as if it were new, and nobody recognises repeats."""
    log = RedisLog(parse_redis_url(f"{server.url}"), deduplication_seconds=0)
    await log.open()
    delivery = record()
    await log.append(delivery, [event("a")])
    await log.append(delivery, [event("a")])
    assert server.do("XLEN", f"{KEY}log") == 1
    assert server.do("TTL", f"{KEY}done:{delivery.nonce}.0") > 80_000
    await log.close()


async def test_a_delivery_with_news_in_its_first_part_is_no_repeat(log: RedisLog) -> None:
    """Nor does a late one lose its later parts."""
    many = [replace(event(f"{n}"), subject=f"s#{n}", event_id=f"{n}") for n in range(1_001)]
    await log.append(record(), many[1:])
    found = await log.append_late(record(), [many[0], *many[1:]])
    assert not found.duplicate
    assert (await log.deliveries(1, None))[0]["verdict"] == "matched"
    fresh = [replace(one, subject=f"t{one.subject}", event_id=f"t{one.event_id}") for one in many]
    assert len((await log.append_late(record(), fresh)).cursors) == 1_001


async def test_a_late_hint_leaves_a_newer_head(log: RedisLog) -> None:
    """It says nothing about what came after it."""
    await log.append(record(NOW), [event("new", "old")])
    hint = replace(event(None), event_id="hint", unsaid=True)
    await log.append_late(record(NOW - HOUR), [hint])
    assert [head.after for head in await log.heads(SUBJECT, 10)] == ["new"]


async def test_heads_of_deleted_refs_go_when_their_repeats_would_be_news(log: RedisLog) -> None:
    """A ref that was made again stays."""
    for name in ("gone", "back"):
        gone = replace(event(None, "a"), subject=f"s#{name}", event_id=name)
        await log.append(record(), [gone])
    await log.append(record(), [replace(event("b"), subject="s#back", event_id="again")])
    assert len(await log.heads("s#", 10)) == 2
    await log.append(record(NOW + HOUR), [event("later")])
    assert [head.subject for head in await log.heads("s#", 10)] == ["s#back"]


async def test_any_heads_are_told_without_a_prefix_up_to_the_limit(log: RedisLog) -> None:
    """Not all there are."""
    many = [replace(event("a"), subject=f"s#{n}", event_id=f"{n}") for n in range(50)]
    await log.append(record(), many)
    assert len(await log.heads("", 10)) == 10


async def test_changes_at_two_hubs_at_once_undo_nothing(server: RedisServer) -> None:
    """A pause stays, and what was deleted does not return."""
    async with opened(server.url) as one, opened(server.url) as two:
        here, there = Registry(one), Registry(two)
        for number in range(40):
            made = await here.put(hourly(f"s{number}"), NOW)
            await asyncio.gather(here.pause(made.id), there.renew(made.id, 2 * HOUR, NOW))
            await asyncio.gather(here.refresh(), there.refresh())
            for found in (here.get(made.id), there.get(made.id)):
                assert found is not None
                assert (found.paused, found.expires_at) == (True, NOW + 2 * HOUR)
            await asyncio.gather(here.delete(made.id), there.renew(made.id, HOUR, NOW))
            await asyncio.gather(here.refresh(), there.refresh())
            assert (here.get(made.id), there.get(made.id)) == (None, None)


async def test_a_lease_that_is_renewed_elsewhere_hides_no_other_change(server: RedisServer) -> None:
    """What it wants and when it ends are known at every hub, in whatever order they change."""
    async with opened(server.url) as one, opened(server.url) as two:
        here, there = Registry(one), Registry(two)
        made = await here.put(hourly("s"), NOW)
        for number in range(1, 4):
            await here.renew(made.id, number * HOUR, NOW)
            await there.refresh()
            assert there.get(made.id) == here.get(made.id)
            wants = (make_want(f"https://git.example.com/acme/other-{number}"),)
            await here.put(replace(hourly("s"), wants=wants), NOW)
            await here.renew(made.id, 9 * HOUR, NOW)
            await there.refresh()
            assert there.get(made.id) == here.get(made.id)
            keys = frozenset({f"git.example.com/acme/other-{number}"})
            assert there.match(keys, ["refs/heads/main"], NOW)[0] == ["s"]


async def test_a_mistake_in_taking_over_subscriptions_ends_nothing(log: RedisLog) -> None:
    """All of them are read again the next time."""
    registry, other, fails = Registry(log), Registry(log), [True]
    await registry.refresh()

    def listener() -> None:
        if fails:
            fails.clear()
            raise LookupError

    registry.on_change(listener)
    await other.put(hourly("s1"), NOW)
    await registry.refresh()  # whoever is told fails
    assert not fails
    await other.put(hourly("s2"), NOW)
    await registry.refresh()
    assert [s.name for s in registry.all()] == ["s1", "s2"]


async def test_the_numbers_of_a_subscriptions_dead_letters_shrink_with_them(
    server: RedisServer, log: RedisLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By removals, and by the limit."""
    monkeypatch.setattr(redis_callbacks, "KEEP_DEAD_LETTERS", 5)
    for _ in range(8):
        last = await log.bury(DeadLetter(0, "sub_x", "1-1-000000", b"{}", "r", NOW))
    assert server.do("SCARD", f"{KEY}dead-letters:of:sub_x") == 5
    assert await log.remove_dead_letter(last)
    assert not await log.remove_dead_letter(last)
    assert server.do("SCARD", f"{KEY}dead-letters:of:sub_x") == 4
    assert len(await log.dead_letters(10, None)) == 4


async def test_who_searches_is_served_aside_and_in_turn(
    log: RedisLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many do: what they look through is never decoded between two deliveries' steps."""
    busy, loops_own = threading.Lock(), threading.get_ident()
    decoded: list[int] = []
    really = redis_deliveries._taken

    def watched(*asked: Any) -> list[Document]:
        assert threading.get_ident() != loops_own
        assert busy.acquire(blocking=False)
        try:
            decoded.append(len(asked[0]))
            return really(*asked)
        finally:
            busy.release()

    monkeypatch.setattr(redis_deliveries, "_taken", watched)
    monkeypatch.setattr(redis_deliveries, "PIECE", 2)
    for number in range(7):
        await log.append(record(), [event(f"{number}")])
    searches = (log.deliveries(10, None, Wanted(q="nothing")) for _ in range(4))
    assert await asyncio.gather(*searches) == [[]] * 4
    assert sorted(decoded) == [1] * 4 + [2] * 12
