"""Which address is called, and what is believed of its answer."""

import asyncio

import pytest

from hub import http
from hub.log.base import Log
from tests.support.callbacks import Worker, push, worker
from tests.support.receivers import Receiver, Reply, afters, receiver
from tests.support.waiting import DEADLINE_SECONDS, eventually


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


async def test_an_answer_whose_body_comes_late_counts(
    log: Log, hub: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was said in time, and is not asked for again because the rest takes longer."""
    monkeypatch.setattr(http, "REQUEST_SECONDS", 1.0)
    monkeypatch.setattr(http, "ANSWER_SECONDS", 1.0)
    promised = Reply(headers={"content-length": "100"}, after_seconds=0.5)
    async with receiver(lambda _: promised) as shop:
        await hub.subscribe("s1", shop.url)
        commits = await push(log, 2)
        await eventually(lambda: len(shop.taken) == 2)
    assert afters(shop.received) == commits


async def test_a_huge_answer_is_not_read(log: Log, hub: Worker) -> None:
    """The status counts; the connection is closed instead of reading on."""
    huge = Reply(headers={"content-length": str(10**9)}, body=b"x" * 100_000)
    async with receiver(lambda _: huge) as shop:
        await hub.subscribe("s1", shop.url)
        await push(log, 3)
        await eventually(lambda: len(shop.received) == 3)
        assert shop.connections == 3
