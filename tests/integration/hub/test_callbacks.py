"""Callbacks: in order, each until it is taken or given up, whoever of the hubs is alive."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters import Request
from adapters.standard_signature import is_signed
from hub.callbacks.timing import Timing
from hub.log.base import Log
from hub.log.sqlite import SqliteLog
from tests.support.callbacks import FAST, Worker, now, push, worker
from tests.support.receivers import Received, Receiver, Reply, receiver
from tests.support.waiting import DEADLINE_SECONDS, eventually


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


def afters(requests: list[Received]) -> list[str]:
    """The commits, in the order in which the receiver heard of them."""
    return [request.after for request in requests]


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


async def test_redirects_are_not_followed(log: Log, hub: Worker, shop: Receiver) -> None:
    """The redirect's target hears nothing, and the reason is told."""
    async with receiver(lambda _: Reply(307, {"location": shop.url})) as moved:
        subscription = await hub.subscribe("s1", moved.url)
        await push(log)
        await eventually(lambda: len(moved.received) >= 2)
        view = await hub.callbacks.view(subscription)
    assert view is not None
    assert "307: redirects are not followed" in view["last_error"]
    assert shop.received == []


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


async def test_a_slow_receiver_does_not_hold_up_others(
    log: Log, hub: Worker, shop: Receiver
) -> None:
    """Each subscription waits for its own receiver alone."""
    async with receiver(lambda _: Reply(after_seconds=3)) as slow:
        await hub.subscribe("slow", slow.url)
        await hub.subscribe("quick", shop.url)
        started = time.monotonic()
        await push(log, 20)
        await eventually(lambda: len(shop.taken) == 20)
        assert time.monotonic() - started < 2
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


async def test_another_hub_goes_on_when_one_vanishes(log: Log, shop: Receiver) -> None:
    """Nothing is lost, and what is repeated has an id that the receiver has seen."""
    shop.answer = lambda _: Reply(after_seconds=0.005)
    async with worker(log) as first, worker(log) as second:
        await first.subscribe("s1", shop.url)
        second.registry.loaded = False  # two hubs on one SQLite: it is told of changes by reading
        await second.registry.refresh()
        commits = await push(log, 200)
        await eventually(lambda: len(shop.taken) > 50)
        vanish(first)
        await eventually(lambda: len({one.after for one in shop.taken}) == 200)
    seen = list(dict.fromkeys(afters(shop.taken)))
    assert seen == commits
    ids = {one.headers["webhook-id"] for one in shop.taken}
    assert len(ids) == 200


def vanish(hub: Worker) -> None:
    """End a hub's callbacks without letting them save or give up anything."""
    for task in [*hub.callbacks._tasks.values(), hub.task]:
        task.cancel()
    hub.callbacks._tasks.clear()
    hub.callbacks._runners.clear()
    hub.callbacks.stop()
    hub.task = asyncio.create_task(asyncio.sleep(0))


async def test_two_hubs_post_each_event_once(log: Log, shop: Receiver) -> None:
    """Only the one that has the lease posts."""
    async with worker(log) as first, worker(log) as second:
        await first.subscribe("s1", shop.url)
        second.registry.loaded = False
        await second.registry.refresh()
        commits = await push(log, 50)
        await eventually(lambda: len(shop.taken) == 50)
        await asyncio.sleep(1.2)  # longer than a lease
    assert afters(shop.received) == commits


async def test_stopping_saves_what_was_taken_and_leaves_the_lease(log: Log, shop: Receiver) -> None:
    """A hub that stops in order repeats nothing, and the next one goes on at once."""
    timing = replace(FAST, lease_seconds=60.0, save_seconds=60.0)
    async with worker(log, timing) as first:
        await first.subscribe("s1", shop.url)
        commits = await push(log, 20)
        await eventually(lambda: len(shop.taken) == 20)
    async with worker(log, timing):
        commits += await push(log)
        await eventually(lambda: len(shop.taken) == 21)
    assert afters(shop.received) == commits


async def test_stopping_waits_for_no_slow_receiver(log: Log) -> None:
    """A request in flight gets half a second, and no more."""
    async with receiver(lambda _: Reply(after_seconds=5)) as slow, worker(log) as hub:
        for number in range(100):
            await hub.subscribe(f"s{number}", slow.url)
        await push(log)
        await eventually(lambda: len(slow.received) >= 16)
        started = time.monotonic()
        await hub.stop()
        assert time.monotonic() - started < 2.5  # half of what the receiver takes


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


async def test_a_private_address_is_refused_when_it_is_connected_to(
    log: Log, shop: Receiver
) -> None:
    """Whatever was allowed when it was subscribed."""
    async with worker(log, allowed=()) as hub:
        subscription = await hub.subscribe("s1", shop.url)
        await push(log)
        view = None
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not view or not view["last_error"]:
                view = await hub.callbacks.view(subscription)
                await asyncio.sleep(0.02)
    assert "127.0.0.1, a loopback address, which this hub does not call" in view["last_error"]
    assert shop.received == []
    assert shop.connections == 0


async def test_a_name_that_changes_its_address_gains_nothing(log: Log, shop: Receiver) -> None:
    """The connection goes to an address that was looked at, not to what is found a moment later."""
    found = [["127.0.0.9"]]

    async def resolve(host: str, port: int) -> list[str]:
        return found.pop(0) if found else ["127.0.0.1"]

    async with worker(log, allowed=("127.0.0.9/32",), resolve=resolve) as hub:
        port = shop.url.rpartition(":")[2]
        subscription = await hub.subscribe("s1", f"http://rebinding.test:{port}")
        await push(log)
        async with asyncio.timeout(DEADLINE_SECONDS):
            view = None
            while not view or "127.0.0.1" not in view["last_error"]:
                view = await hub.callbacks.view(subscription)
                await asyncio.sleep(0.02)
    assert shop.connections == 0


async def test_the_url_names_the_host_whatever_address_is_called(log: Log, shop: Receiver) -> None:
    """The receiver sees its own name, as behind any proxy."""

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    port = shop.url.rpartition(":")[2].partition("/")[0]
    async with worker(log, resolve=resolve) as hub:
        await hub.subscribe("s1", f"http://shop.test:{port}/hook?a=1")
        await push(log)
        await eventually(lambda: shop.taken)
    assert shop.taken[0].headers["host"] == f"shop.test:{port}"
    assert shop.taken[0].path == "/hook?a=1"


async def test_no_proxy_of_the_environment_is_used(
    log: Log, hub: Worker, shop: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would call addresses that nobody has looked at."""
    async with receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        await hub.subscribe("s1", shop.url)
        await push(log)
        await eventually(lambda: shop.taken)
        assert proxy.received == []


async def test_a_huge_answer_is_not_read(log: Log, hub: Worker) -> None:
    """The status counts; the connection is closed instead of reading on."""
    huge = Reply(headers={"content-length": str(10**9)}, body=b"x" * 100_000)
    async with receiver(lambda _: huge) as shop:
        await hub.subscribe("s1", shop.url)
        await push(log, 3)
        await eventually(lambda: len(shop.received) == 3)
        assert shop.connections == 3


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
