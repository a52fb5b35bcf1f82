"""What share-redis.md asks of a Redis: enough for a hub, and missed when it is not there."""

import logging
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.log.base import LogUnfit
from hub.log.redis import RedisLog
from hub.log.redis_address import parse_redis_url
from hub.log.values import DeadLetter, StageReport
from hub.subscriptions import NewSubscription, Registry
from hub.wants import make_want
from tests.support.events import NOW, record
from tests.support.redis_logs import opened, tell, tell_until_taken
from tests.support.redis_servers import RedisServer, sentinels, single
from tests.support.waiting import eventually

PAGE = Path(__file__).parents[3] / "docs/how-to/share-redis.md"


def documented_rights() -> list[str]:
    """Those that the page names, as `ACL SETUSER` takes them."""
    found = re.search(r"user needs `([^`]+)`", PAGE.read_text(encoding="utf-8"))
    assert found is not None
    return found[1].replace("PREFIX", "directcd").split()


def advised(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said of the settings."""
    return [record.advice for record in caplog.records if hasattr(record, "advice")]


async def test_the_documented_rights_are_enough(tmp_path: Path) -> None:
    """For everything that a hub does with its log."""
    with single(tmp_path) as server:
        server.do("ACL", "SETUSER", "hub", "on", ">pw", *documented_rights())
        async with opened(server.url.replace("//", "//hub:pw@")) as log:
            await tell(log, "a", "b")
            want = make_want("github.com/acme/shop")
            made = await Registry(log).put(NewSubscription("s", (want,), NOW - NOW), NOW)
            await call_back(log, made.id)
            at = datetime.now(UTC)
            await log.report(StageReport("shop", "built", "done", at, at, "0" * 32))
            assert [one.trace_id for one in await log.reports("shop", 10)] == ["0" * 32]
            assert await log.targets(10) == ["shop"]
            assert list(await log.origins(["0" * 32])) == ["0" * 32]
            assert len(await log.deliveries(10, None)) == 2
            assert [use.deliveries for use in await log.secret_uses()] == [2]
            assert [head.after for head in await log.heads("", 10)] == ["b"]
            assert [row.id for row in await log.subscriptions()] == [made.id]
            await log.delete_subscription(made.id)
            assert (await log.changed_subscriptions()).deleted == (made.id,)
            await keep_notes(log)
            assert await log.check() == ""
        async with opened(server.url.replace("//", "//hub:pw@")) as log:
            await log.append(record(), [])


async def test_a_password_is_read_from_its_file_for_each_connection(tmp_path: Path) -> None:
    """So it can change; one that is not there is named, and not shown as a wrong one."""
    password = tmp_path / "password"
    password.write_text("old\n")
    with single(tmp_path, "--requirepass", "old") as server:
        url = f"{server.url}?password_file={password}"
        async with opened(url) as log:
            await log.append(record(), [])
            with server.client(password="old") as client:
                client.config_set("requirepass", "new")
                password.write_text("new")
                client.client_kill_filter(skipme=True)
            await tell_until_taken(log, "a")
        password.unlink()
        with pytest.raises(LogUnfit, match=r"password of Redis: secret file .*: No such file"):
            await RedisLog(parse_redis_url(url)).open()


async def test_a_user_with_two_passwords_is_rotated_without_an_outage(tmp_path: Path) -> None:
    """As docs/how-to/rotate-secrets.md says: either is good, and the file is read again."""
    password = tmp_path / "password"
    password.write_text("old\n")
    with single(tmp_path) as server:
        server.do("ACL", "SETUSER", "hub", "on", ">old", *documented_rights())
        url = server.url.replace("//", "//hub@") + f"?password_file={password}"
        async with opened(url) as log:
            await log.append(record(), [])
            server.do("ACL", "SETUSER", "hub", ">new")
            password.write_text("new\n")
            server.do("ACL", "SETUSER", "hub", "<old")
            server.do("CLIENT", "KILL", "USER", "hub")
            await tell_until_taken(log, "a")


async def call_back(log: RedisLog, subscription: str) -> None:
    """Everything that callbacks ask of a log."""
    lease = await log.lease(subscription, "me", 5.0)
    assert lease is not None
    assert await log.save_progress(lease, subscription, {"cursor": ""})
    assert await log.progress(subscription) == {"cursor": ""}
    await log.bury(DeadLetter(0, subscription, str(log.head), b"{}", "no", NOW))
    [letter] = await log.dead_letters(10, None)
    assert await log.remove_dead_letter(letter.number)
    await log.forget_progress(subscription)
    await log.release(lease)


async def keep_notes(log: RedisLog) -> None:
    """Note something, find it and forget it."""
    await log.note("a", {"n": 1})
    assert (await log.noted("a"), await log.notes("")) == ({"n": 1}, {"a": {"n": 1}})
    await log.note("a", None)


async def test_settings_that_lose_pushes_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At the start, and not again with every session; mended and broken again, they are."""
    caplog.set_level(logging.WARNING)
    losing = ("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    with single(tmp_path, *losing) as server:
        async with opened(server.url) as log:
            first = advised(caplog)
            assert [one.rpartition(": ")[2] for one in first] == [
                "set appendonly yes",
                "set maxmemory-policy noeviction",
            ]
            await new_session(server, log)
            assert advised(caplog) == first
            server.do("CONFIG", "SET", "appendonly", "yes")
            await new_session(server, log)
            server.do("CONFIG", "SET", "appendonly", "no")
            await new_session(server, log)
            assert advised(caplog) == [*first, first[0]]


async def new_session(server: RedisServer, log: RedisLog) -> None:
    """Cut every connection, and wait until the hub is back."""
    server.do("CLIENT", "KILL", "TYPE", "normal")
    await eventually(lambda: log.trouble)
    await log.wait_until_up()


async def test_a_master_that_needs_no_replica_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And one that does is not."""
    caplog.set_level(logging.WARNING)
    safe = ("--min-replicas-to-write", "1", "--appendonly", "yes")
    for options, expected in (((), {"appendonly yes", "min-replicas-to-write 1"}), (safe, set())):
        caplog.clear()
        with sentinels(tmp_path / f"{len(options)}", *options) as (master, *_):
            async with opened(master.url):
                assert {one.rpartition(" set ")[2] for one in advised(caplog)} == expected


async def test_good_settings_are_no_news(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is said."""
    caplog.set_level(logging.WARNING)
    with single(tmp_path, "--appendonly", "yes") as server:
        async with opened(server.url):
            assert advised(caplog) == []
