"""Receivers that fail: retries, pauses, dead letters, and what others notice of it."""

import asyncio
import random
import time
from dataclasses import replace

import pytest

from hub.callbacks.progress import Progress
from hub.log.base import Log
from hub.log.values import Cursor
from tests.support.callbacks import FAST, Worker, now, push, worker
from tests.support.receivers import Received, Receiver, Reply, afters, receiver
from tests.support.waiting import eventually


async def test_a_receiver_that_fails_now_and_then_misses_nothing(log: Log, hub: Worker) -> None:
    """One in ten answers is a 500; each event is repeated until it is taken, in order."""
    chance = random.Random(1)  # noqa: S311 - the same failures at every run
    async with receiver(lambda _: Reply(500 if chance.random() < 0.1 else 200)) as shop:
        await hub.subscribe("s1", shop.url)
        commits = await push(log, 300)
        await eventually(lambda: len(shop.taken) == 300)
    assert afters(shop.taken) == commits
    assert len(shop.received) > 300


async def test_a_repeat_has_the_same_id_and_bytes(log: Log, hub: Worker) -> None:
    """So that the receiver knows it."""
    replies = iter([500, 503, 200])
    async with receiver(lambda _: Reply(next(replies))) as shop:
        await hub.subscribe("s1", shop.url)
        await push(log)
        await eventually(lambda: shop.taken)
    assert len({(one.headers["webhook-id"], one.body) for one in shop.received}) == 1
    assert len(shop.received) == 3


async def test_a_failing_callback_says_so_and_forgets_it_when_it_works(
    log: Log, hub: Worker
) -> None:
    """For people: since when, how often, why, and when it is tried again."""
    status = 500
    async with receiver(lambda _: Reply(status)) as shop:
        subscription = await hub.subscribe("s1", shop.url)
        await push(log)
        await eventually(lambda: len(shop.received) >= 3)
        view = await hub.callbacks.view(subscription)
        assert view is not None
        assert view["last_error"] == "the receiver answered 500"
        assert view["failures"] >= 1
        assert view["failing_since"]
        assert view["next_attempt_at"]
        status = 200
        await eventually(lambda: shop.taken)
        await hub.stop()
    after = await hub.callbacks.view(subscription)
    assert after is not None
    assert (after["failures"], after["last_error"], after["failing_since"]) == (0, "", None)
    assert after["cursor"] == str(log.head)


async def test_retry_after_is_waited_for(log: Log, hub: Worker) -> None:
    """A receiver that asks for a second is given one, whatever the pause would have been."""
    times: list[float] = []

    def answer(_: Received) -> Reply:
        times.append(time.monotonic())
        return Reply(429, {"retry-after": "1"}) if len(times) == 1 else Reply()

    async with receiver(answer) as shop:
        await hub.subscribe("s1", shop.url)
        await push(log)
        await eventually(lambda: shop.taken)
    assert times[1] - times[0] >= 1.0


async def test_a_receiver_that_is_gone_pauses_its_subscription(log: Log, hub: Worker) -> None:
    """410: nothing more is posted until somebody resumes it, then everything that has waited."""
    status = 410
    async with receiver(lambda _: Reply(status)) as shop:
        subscription = await hub.subscribe("s1", shop.url)
        commits = await push(log, 2)

        def paused() -> bool:
            known = hub.registry.get(subscription.id)
            return known is not None and known.paused

        await eventually(paused)
        commits += await push(log)
        view = await hub.callbacks.view(subscription)
        assert view is not None
        assert view["last_error"] == "the receiver answered 410"
        assert len(shop.received) == 1
        status = 200
        await hub.registry.resume(subscription.id)
        await eventually(lambda: len(shop.taken) == 3)
    assert afters(shop.taken) == commits


async def test_what_is_not_taken_in_time_becomes_a_dead_letter_and_the_next_follows(
    log: Log,
) -> None:
    """The order goes on without it."""
    poison: list[str] = []

    def answer(request: Received) -> Reply:
        return Reply(500 if request.after in poison else 200)

    timing = replace(FAST, retry_seconds=0.1)
    async with receiver(answer) as shop, worker(log, timing) as hub:
        subscription = await hub.subscribe("s1", shop.url)
        poison += await push(log)
        commits = await push(log, 2)
        await eventually(lambda: len(shop.taken) == 2)
        assert afters(shop.taken) == commits
        [letter] = await log.dead_letters(10, None)
        assert (letter.subscription_id, letter.reason) == (
            subscription.id,
            "the receiver answered 500",
        )
        assert letter.message == shop.received[0].body
        poison.clear()
        outcome = await hub.callbacks.resend(letter)
    assert outcome is not None
    assert outcome.taken
    assert shop.taken[-1].headers["webhook-id"] == shop.received[0].headers["webhook-id"]


async def test_a_slow_receiver_does_not_hold_up_others(
    log: Log, hub: Worker, shop: Receiver
) -> None:
    """Each subscription waits for its own receiver alone."""
    async with receiver(lambda _: Reply(after_seconds=15)) as slow:
        await hub.subscribe("slow", slow.url)
        await hub.subscribe("quick", shop.url)
        started = time.monotonic()
        await push(log, 20)
        await eventually(lambda: len(shop.taken) == 20)
        assert time.monotonic() - started < 8  # the slow one is given ten
        assert len(slow.received) == 1


async def test_a_host_that_fails_is_tried_by_one_request_at_a_time(log: Log, hub: Worker) -> None:
    """Thirty subscriptions do not storm a host that is down; all go on when it is well."""
    status = 500
    async with receiver(lambda _: Reply(status, after_seconds=0.02)) as shop:
        for number in range(30):
            await hub.subscribe(f"s{number}", shop.url)
        await push(log)
        await eventually(lambda: len(shop.received) >= 5)
        await asyncio.sleep(0.3)
        before = len(shop.received)
        shop.most_at_once = 0
        await asyncio.sleep(1.5)
        assert shop.most_at_once <= 1
        assert len(shop.received) - before <= 3
        status = 200
        await eventually(lambda: len(shop.taken) == 30)
    assert len({one.headers["webhook-id"] for one in shop.taken}) == 30


async def test_a_clock_that_was_set_back_holds_nothing_up(log: Log, shop: Receiver) -> None:
    """The next attempt seems to be days away, longer than any pause there is."""
    async with worker(log) as first:
        made = await first.subscribe("s1", shop.url)
    cursor = Cursor.parse(made.since)
    lease = await log.lease(made.id, "test", 10.0)
    assert cursor is not None
    assert lease is not None
    failed = Progress(cursor, made.since).failed("no answer", now(), 2 * 86_400)
    assert await log.save_progress(lease, made.id, failed.as_json())
    await log.release(lease)
    commits = await push(log)
    async with worker(log):
        await eventually(lambda: shop.taken)
    assert afters(shop.taken) == commits


@pytest.mark.parametrize(("status", "waits"), [(408, True), (429, True), (500, True), (404, False)])
async def test_some_answers_are_about_the_whole_host(
    log: Log, hub: Worker, status: int, *, waits: bool
) -> None:
    """Its other receivers wait as well; any other refusal is about one URL."""
    async with receiver(lambda _: Reply(status)) as shop:
        subscription = await hub.subscribe("s1", shop.url)
        await push(log)
        await eventually(lambda: len(shop.received) >= 5)
        await asyncio.sleep(0.1)
        assert subscription.callback is not None
        assert bool(hub.callbacks._tools.sender.waits_for(subscription.callback)) is waits


async def test_an_absurd_retry_after_is_none(log: Log, hub: Worker) -> None:
    """The event is tried again after the hub's own pause."""
    absurd = Reply(503, {"retry-after": "Fri, 01 May 2026 12:01:00 +99999999999999"})
    replies = iter([absurd, Reply()])
    async with receiver(lambda _: next(replies)) as shop:
        await hub.subscribe("s1", shop.url)
        await push(log)
        await eventually(lambda: shop.taken)


async def test_a_mistake_of_the_hub_is_a_failure_with_pauses(log: Log, shop: Receiver) -> None:
    """The event is tried again, not for ever at once, and is posted when it works."""
    asked = 0

    async def resolve(host: str, port: int) -> list[str]:
        nonlocal asked
        asked += 1
        if asked <= 3:
            raise RuntimeError("a mistake")
        return ["127.0.0.1"]

    timing = replace(FAST, first_pause_seconds=0.1, longest_pause_seconds=0.1)
    async with worker(log, timing, resolve=resolve) as hub:
        port = shop.url.rpartition(":")[2]
        await hub.subscribe("s1", f"http://shop.test:{port}")
        started = time.monotonic()
        await push(log)
        await eventually(lambda: shop.taken)
        assert time.monotonic() - started >= 0.2


async def test_what_becomes_a_dead_letter_is_not_said_to_be_tried_again(
    log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no next attempt."""
    timing = replace(FAST, retry_seconds=0.0)
    async with receiver(lambda _: Reply(500)) as shop, worker(log, timing) as hub:
        await hub.subscribe("s1", shop.url)
        await push(log)
        await eventually(lambda: "dead letter" in caplog.text)
    assert "callback failed" not in caplog.text
