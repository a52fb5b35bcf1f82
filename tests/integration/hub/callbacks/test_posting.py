"""What is posted, where it begins, and when it ends."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters import Request
from adapters.standard_signature import is_signed
from hub.callbacks.timing import Timing
from hub.log.base import Log
from tests.support.callbacks import FAST, Worker, now, push, worker
from tests.support.receivers import Receiver, Reply, afters, receiver
from tests.support.waiting import DEADLINE_SECONDS, eventually


async def test_events_are_posted_in_order_with_what_subscribers_are_sent(
    log: Log, hub: Worker, shop: Receiver
) -> None:
    """The body is the notification, byte for byte, as CloudEvents in structured mode."""
    subscription = await hub.subscribe("s1", shop.url)
    start = log.head
    commits = await push(log, 30)
    await eventually(lambda: len(shop.taken) == 30)
    assert afters(shop.taken) == commits
    events = await log.read(start, 100)
    assert isinstance(events, list)
    assert [one.body for one in shop.taken] == [event.message for event in events]
    assert shop.taken[0].headers["content-type"] == "application/cloudevents+json"
    assert shop.taken[0].headers["webhook-id"] == f"{subscription.id}_{events[0].cursor}"
    assert shop.taken[0].path == "/hook"


async def test_a_receiver_can_verify_the_signature(log: Log, hub: Worker, shop: Receiver) -> None:
    """As Standard Webhooks say; a changed byte is noticed."""
    subscription = await hub.subscribe("s1", shop.url)
    await push(log)
    await eventually(lambda: shop.taken)
    assert subscription.callback is not None
    secret = subscription.callback.secret.get_secret_value().encode()
    [sent] = shop.taken
    request = Request(headers=sent.headers, body=sent.body, received_at=now())
    assert is_signed(request, secret)
    assert not is_signed(replace(request, body=sent.body + b" "), secret)


async def test_what_is_not_wanted_is_not_posted(log: Log, hub: Worker, shop: Receiver) -> None:
    """Another repository's pushes are passed over."""
    await hub.subscribe("s1", shop.url)
    await push(log, 3, "other")
    wanted = await push(log)
    await eventually(lambda: shop.taken)
    assert afters(shop.received) == wanted


async def test_a_callback_starts_at_its_subscriptions_cursor(log: Log, shop: Receiver) -> None:
    """What came after the 201 and before any hub ran the callback is posted, nothing older."""
    await push(log)
    async with worker(log) as first:
        pass
    await first.subscribe("s1", shop.url)
    commits = await push(log, 2)
    async with worker(log):
        await eventually(lambda: len(shop.taken) == 2)
    assert afters(shop.received) == commits


async def test_a_gap_is_told_and_then_it_goes_on(log: Log, shop: Receiver) -> None:
    """Who was away for longer than the log reaches back looks at everything once."""
    async with worker(log) as first:
        subscription = await first.subscribe("s1", shop.url)
        await push(log)
        await eventually(lambda: shop.taken)
    for _ in range(1001):
        await push(log, 2, "other")
    async with worker(log):
        await eventually(lambda: len(shop.taken) == 2)
        commits = await push(log)
        await eventually(lambda: len(shop.taken) == 3)
    assert shop.taken[1].headers["webhook-id"].startswith(f"{subscription.id}_gap-")
    gap = shop.taken[1].document
    assert gap["type"] == "dev.directcd.gap.v1"
    assert gap["source"] == f"https://hub.test/v1/subscriptions/{subscription.id}"
    assert "no longer reaches back" in gap["data"]["reason"]
    assert afters(shop.taken[2:]) == commits


async def test_a_quiet_subscription_stays_within_the_logs_reach(log: Log, shop: Receiver) -> None:
    """It moves on with what it does not want, and needs no gap later."""
    async with worker(log, replace(FAST, idle_seconds=0.05)) as hub:
        subscription = await hub.subscribe("s1", shop.url)
        await push(log, 5, "other")
        view = None
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not view or view["cursor"] != str(log.head):
                view = await hub.callbacks.view(subscription)
                await asyncio.sleep(0.02)
    assert shop.received == []


async def test_a_forgotten_subscription_leaves_nothing_behind(
    log: Log, hub: Worker, shop: Receiver
) -> None:
    """Its progress goes; one of the same name begins anew, and hears nothing older."""
    subscription = await hub.subscribe("s1", shop.url)
    await push(log)
    await eventually(lambda: shop.taken)
    await hub.registry.delete(subscription.id)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await log.progress(subscription.id) is not None:
            await asyncio.sleep(0.02)
    await push(log)
    await hub.subscribe("s1", shop.url)
    commits = await push(log)
    await eventually(lambda: len(shop.taken) == 2)
    assert afters(shop.taken[1:]) == commits


async def test_a_subscription_made_again_at_once_begins_anew(
    log: Log, hub: Worker, shop: Receiver
) -> None:
    """What came between the old one's end and the new one's 201 is nobody's."""
    subscription = await hub.subscribe("s1", shop.url)
    await push(log)
    await eventually(lambda: shop.taken)
    await hub.registry.pause(subscription.id)
    await push(log)
    await hub.registry.delete(subscription.id)
    await hub.subscribe("s1", shop.url)
    commits = await push(log)
    await eventually(lambda: len(shop.taken) == 2)
    await asyncio.sleep(0.1)
    assert afters(shop.taken[1:]) == commits


async def test_a_subscription_whose_lease_ended_waits(
    log: Log, hub: Worker, shop: Receiver
) -> None:
    """Nothing is posted until it is renewed; then what has waited is."""
    subscription = await hub.subscribe("s1", shop.url)
    await hub.registry.renew(subscription.id, timedelta(seconds=-1), now())
    commits = await push(log)
    await asyncio.sleep(0.3)
    assert shop.received == []
    await hub.registry.renew(subscription.id, timedelta(hours=1), now())
    await eventually(lambda: shop.taken)
    assert afters(shop.taken) == commits


async def test_a_new_url_is_tried_at_once(log: Log, shop: Receiver) -> None:
    """Who corrects the URL need not wait for the old one's pause."""
    timing = Timing(first_pause_seconds=600.0)
    async with receiver(lambda _: Reply(500)) as wrong, worker(log, timing) as hub:
        await hub.subscribe("s1", wrong.url)
        commits = await push(log)
        await eventually(lambda: wrong.received)
        await asyncio.sleep(0.1)
        await hub.subscribe("s1", shop.url)
        await eventually(lambda: shop.taken)
    assert afters(shop.taken) == commits


@pytest.mark.parametrize(
    "late", [Reply(410), Reply(503, {"retry-after": "3600"})], ids=["gone", "retry later"]
)
async def test_what_an_old_url_answers_is_not_the_new_ones_business(
    log: Log, hub: Worker, shop: Receiver, late: Reply
) -> None:
    """It was asked before the subscription was made again, and answers afterwards."""
    async with receiver(lambda _: replace(late, after_seconds=0.5)) as old:
        await hub.subscribe("s1", old.url)
        commits = await push(log)
        await eventually(lambda: old.received)
        made = await hub.subscribe("s1", shop.url)
        await eventually(lambda: shop.taken)
        known = hub.registry.get(made.id)
        assert known is not None
        assert not known.paused
    assert afters(shop.taken) == commits


async def test_a_subscription_made_again_while_no_hub_ran_begins_anew(
    log: Log, shop: Receiver
) -> None:
    """What was saved for the old one says nothing about the new one."""
    async with worker(log) as first:
        subscription = await first.subscribe("s1", shop.url)
        await push(log)
        await eventually(lambda: shop.taken)
    await push(log)
    await first.registry.delete(subscription.id)
    await first.subscribe("s1", shop.url)
    commits = await push(log)
    async with worker(log):
        await eventually(lambda: len(shop.taken) == 2)
        await asyncio.sleep(0.1)
    assert afters(shop.taken[1:]) == commits
