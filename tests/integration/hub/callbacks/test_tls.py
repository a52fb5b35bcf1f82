"""Callbacks over TLS: the certificate is that of the URL's name, whatever address is called."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.log.base import Log
from hub.log.sqlite import SqliteLog
from tests.support.callbacks import Worker, push, worker
from tests.support.certificates import certificate
from tests.support.receivers import Receiver, receiver
from tests.support.waiting import DEADLINE_SECONDS, eventually


async def resolve(host: str, port: int) -> list[str]:
    """Every name is this machine."""
    return ["127.0.0.1"]


@pytest.fixture
async def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Receiver]:
    """A receiver whose certificate this machine trusts."""
    file = certificate(tmp_path, "shop.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    async with receiver(tls=context) as found:
        yield found


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[Log]:
    """An open, empty log."""
    engine = SqliteLog(tmp_path / "log")
    await engine.open()
    yield engine
    await engine.close()


@pytest.fixture
async def hub(log: Log, shop: Receiver) -> AsyncIterator[Worker]:
    """One hub's callbacks, made after the certificate is trusted."""
    async with worker(log, resolve=resolve) as found:
        yield found


def url_of(shop: Receiver, host: str) -> str:
    """The receiver by a name."""
    return shop.url.replace("127.0.0.1", host)


async def test_the_certificate_is_checked_against_the_urls_name(
    log: Log, hub: Worker, shop: Receiver
) -> None:
    """Though the connection is made to an address."""
    await hub.subscribe("s1", url_of(shop, "shop.test"))
    await push(log, 3)
    await eventually(lambda: len(shop.taken) == 3)
    assert shop.connections == 1


async def test_another_names_certificate_is_refused(log: Log, hub: Worker, shop: Receiver) -> None:
    """Also when a connection to that address is open already, for the right name."""
    await hub.subscribe("s1", url_of(shop, "shop.test"))
    other = await hub.subscribe("s2", url_of(shop, "other.test"))
    await push(log)
    await eventually(lambda: shop.taken)
    async with asyncio.timeout(DEADLINE_SECONDS):
        view = None
        while not view or not view["last_error"]:
            view = await hub.callbacks.view(other)
            await asyncio.sleep(0.02)
    assert "TLS failed: Hostname mismatch" in view["last_error"]
    assert len(shop.received) == 1
