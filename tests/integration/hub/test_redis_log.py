"""What Redis, its fail-overs and its operators do to a log, and what becomes of the events."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from secrets import token_hex

import pytest

from hub.log.base import LogUnavailable, LogUnfit
from hub.log.redis import RedisLog
from hub.log.redis_address import parse_redis_url
from tests.support.events import NOW, Heard, event, record
from tests.support.redis_logs import opened, tell, tell_until_taken
from tests.support.redis_servers import (
    RedisServer,
    cluster,
    cluster_url,
    sentinel_url,
    sentinels,
    single,
)
from tests.support.waiting import eventually

PREFIX = "directcd"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of the test's own: it will not be treated kindly."""
    with single(tmp_path / "redis") as started:
        yield started


async def test_every_hub_hears_what_any_of_them_appended(server: RedisServer) -> None:
    """In one order, each event once, and what one has received is a repeat to the other."""
    async with opened(server.url) as one, opened(server.url) as two:
        heard = [Heard(one), Heard(two)]
        for number in range(20):
            await tell((one, two)[number % 2], str(number))
        again = await one.append(record(), [event("19")])
        await eventually(lambda: all(len(h.events) == 20 for h in heard))
        assert heard[0].commits == heard[1].commits == [str(n) for n in range(20)]
        assert again.duplicate


async def test_what_the_subscription_missed_is_read_from_the_stream(server: RedisServer) -> None:
    """Subscriptions are cut off while events are appended: nothing is missing, nothing doubled."""
    async with opened(server.url) as writer, opened(server.url) as reader:
        heard = Heard(reader)
        for number in range(30):
            if number % 5 == 0:
                server.do("CLIENT", "KILL", "TYPE", "pubsub")
            await tell_until_taken(writer, str(number))
        await eventually(lambda: len(heard.events) == 30)
        assert heard.commits == [str(n) for n in range(30)]
        assert heard.gaps == []


async def test_a_message_that_is_lost_silently_is_noticed_by_the_hole(server: RedisServer) -> None:
    """An event whose message never came is told before the one behind it."""
    async with opened(server.url) as log:
        heard = Heard(log)
        await tell(log, "a")
        # A publish that fails as a network would: the entry is there, nobody hears of it.
        _append_silently(server, "b")
        await tell(log, "c")
        await eventually(lambda: len(heard.events) == 3)
        assert heard.commits == ["a", "b", "c"]


async def test_a_deaf_subscription_is_noticed_without_any_further_event(
    server: RedisServer,
) -> None:
    """The stream's end is looked at, too: the last event of the day must not wait for the next."""
    async with opened(server.url) as log:
        heard = Heard(log)
        await tell(log, "a")
        _append_silently(server, "b")
        await eventually(lambda: len(heard.events) == 2)
        assert heard.commits == ["a", "b"]


def _append_silently(server: RedisServer, commit: str) -> None:
    epoch = int(server.do("GET", f"{PREFIX}:{{log}}:epoch"))
    server.do("XADD", f"{PREFIX}:{{log}}:log", f"{epoch}-*", "m", event(commit).tail, "t", "00000b")


async def test_a_flushed_log_is_a_gap_and_goes_on(server: RedisServer) -> None:
    """The old cursors belong to another log; what is appended afterwards is told."""
    async with opened(server.url) as log:
        heard = Heard(log)
        await tell(log, "a")
        await eventually(lambda: heard.commits == ["a"])
        before = log.head
        server.do("FLUSHALL")
        await tell(log, "b")
        await eventually(lambda: heard.gaps)
        await tell(log, "c")
        await eventually(lambda: heard.commits[-1] == "c")
        assert log.head.epoch != before.epoch


async def test_a_frozen_server_is_given_up_and_found_again(server: RedisServer) -> None:
    """Who waits for it is told after two seconds; the same again is not told twice."""
    async with opened(server.url) as log:
        heard = Heard(log)
        delivery, events = record(), [event("a")]
        server.freeze()
        with pytest.raises(LogUnavailable, match="no answer"):
            await log.append(delivery, events)
        with pytest.raises(LogUnavailable):
            await log.check()
        server.thaw()
        await log.wait_until_up()
        await log.append_late(delivery, events)
        await tell(log, "b")
        await eventually(lambda: len(heard.events) >= 2)
        assert heard.commits == ["a", "b"]


async def test_what_a_killed_server_forgot_is_appended_again(server: RedisServer) -> None:
    """It had no disk; the hub still knows what it acknowledged during the last minute."""
    async with opened(server.url) as log:
        heard = Heard(log)
        await tell(log, "a", "b")
        await eventually(lambda: heard.commits == ["a", "b"])
        server.kill()
        server.start()
        await eventually(lambda: heard.commits[2:] == ["a", "b"])
        assert heard.gaps == ["this is another log than the one the cursor comes from"]
        assert [d["verdict"] for d in await log.deliveries(5, None)] == ["matched", "matched"]


async def test_a_fail_over_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """The master dies with what its replica has not got; the next one has all of it."""
    with sentinels(tmp_path) as (master, replica, watchers):
        async with opened(sentinel_url(watchers)) as log:
            await tell(log, "a")
            replica.freeze()  # what follows is the old master's alone
            await tell(log, "b", "c")
            master.kill()
            replica.thaw()
            async with asyncio.timeout(15):
                await tell_until_taken(log, "d")
            found = await log.read(replace(log.head, position=0), 100)
            assert isinstance(found, list)
            commits = [one.message for one in found]
            assert all(any(b'"after": "%s"' % c in m for m in commits) for c in (b"b", b"c", b"d"))


async def test_a_slot_that_moves_takes_the_log_with_it(tmp_path: Path) -> None:
    """Sharded subscriptions end with the slot; both hubs go on at its new place."""
    with cluster(tmp_path) as nodes:
        async with opened(cluster_url(nodes)) as writer, opened(cluster_url(nodes)) as reader:
            heard = Heard(reader)
            await tell(writer, "a")
            _move_slot(nodes, f"{PREFIX}:{{log}}:log")
            await tell_until_taken(writer, "b", "c")
            await eventually(lambda: len(heard.events) == 3)
            assert heard.commits == ["a", "b", "c"]
            assert heard.gaps == []


def _move_slot(nodes: list[RedisServer], key: str) -> None:
    slot = nodes[0].do("CLUSTER", "KEYSLOT", key)
    ids = [node.do("CLUSTER", "MYID").decode() for node in nodes]
    source = next(n for n, node in enumerate(nodes) if node.do("CLUSTER", "COUNTKEYSINSLOT", slot))
    target = (source + 1) % len(nodes)
    nodes[target].do("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    nodes[source].do("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    while found := nodes[source].do("CLUSTER", "GETKEYSINSLOT", slot, 100):
        nodes[source].do("MIGRATE", "127.0.0.1", nodes[target].port, "", 0, 5000, "KEYS", *found)
    for node in (nodes[target], nodes[source], nodes[3 - source - target]):
        node.do("CLUSTER", "SETSLOT", slot, "NODE", ids[target])


@pytest.mark.parametrize(
    ("rights", "reason"),
    [
        ("+@all -evalsha -eval", "NOPERM.*evalsha"),
        ("+@all -subscribe", "NOPERM.*subscribe"),
        ("+@all -xadd", "xadd.*needs"),
        ("+@all -time", "time.*needs"),
    ],
)
async def test_missing_rights_are_named_at_the_start(
    server: RedisServer, rights: str, reason: str
) -> None:
    """A person must mend that: the hub refuses to start, and says which right."""
    server.do("ACL", "SETUSER", "hub", "on", ">pw", "~*", "&*", *rights.split())
    url = server.url.replace("//", "//hub:pw@")
    with pytest.raises(LogUnfit, match=reason):
        async with opened(url):
            pass


async def test_a_wrong_password_is_not_waited_out(server: RedisServer) -> None:
    """Nor shown."""
    server.do("CONFIG", "SET", "requirepass", "right")
    with pytest.raises(LogUnfit, match="WRONGPASS") as caught:
        async with opened(server.url.replace("//", "//:hunter2@")):
            pass
    assert "hunter2" not in str(caught.value)


async def test_a_log_opens_while_redis_is_away_and_begins_when_it_is_there(
    server: RedisServer,
) -> None:
    """Until then it says why not; the first thing listeners hear is that they may have missed."""
    server.kill()
    async with opened(server.url) as log:
        heard = Heard(log)
        with pytest.raises(LogUnavailable, match="cannot be reached"):
            await log.check()
        with pytest.raises(LogUnavailable):
            await tell(log, "a")
        server.start()
        await log.wait_until_up()
        await tell(log, "b")
        await eventually(lambda: heard.commits == ["b"])
        assert heard.gaps == ["the log was out of reach until now"]


async def test_a_full_server_takes_no_appends_and_says_so(server: RedisServer) -> None:
    """Until it has memory again; nothing is half written."""
    async with opened(server.url) as log:
        await tell(log, "a")
        server.do("CONFIG", "SET", "maxmemory", "1mb")
        with pytest.raises(LogUnavailable, match="OOM"):
            await tell(log, "b")
        server.do("CONFIG", "SET", "maxmemory", "0")
        await tell_until_taken(log, "b")
        assert (await log.append(record(), [event("b")])).duplicate


async def test_a_delivery_of_many_refs_is_one_delivery(server: RedisServer) -> None:
    """More events than a call takes: all are told, in order, and the same again is a repeat."""
    many = [event(str(number)) for number in range(1_201)]
    many = [replace(one, subject=f"{one.subject}{n}") for n, one in enumerate(many)]
    async with opened(server.url) as log:
        heard = Heard(log)
        first = await log.append(record(), many)
        again = await log.append(record(), many)
        assert (first.duplicate, again.duplicate) == (False, True)
        assert first.cursors == again.cursors
        assert len(await log.deliveries(10, None)) == 2
        await eventually(lambda: len(heard.events) == 1_201)


async def test_a_late_copy_does_not_move_a_head_back(server: RedisServer) -> None:
    """What was spooled an hour ago is told, but the ref stands where the newer push put it."""
    async with opened(server.url) as log:
        await log.append(record(NOW), [event("new", "old")])
        await log.append_late(record(NOW - timedelta(hours=1)), [event("old", "older")])
        [head] = await log.heads("github.com/acme/shop#", 10)
        assert head.after == "new"


async def test_two_installations_share_a_server_by_their_prefix(server: RedisServer) -> None:
    """Neither hears the other."""
    other = RedisLog(parse_redis_url(f"{server.url}?prefix=p{token_hex(4)}"))
    await other.open()
    async with opened(server.url) as log:
        heard = Heard(other)
        await tell(log, "a")
        await asyncio.sleep(0.1)
        assert heard.events == []
    await other.close()


async def test_scripts_that_were_flushed_are_sent_again(server: RedisServer) -> None:
    """SCRIPT FLUSH is an operator's right."""
    async with opened(server.url) as log:
        server.do("SCRIPT", "FLUSH")
        await tell(log, "a")
