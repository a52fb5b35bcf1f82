"""The configurations of the how-to page, in real proxies before two real hubs on one Redis."""

import itertools
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from directcd.demo import receive_hook
from directcd.demo.world import free_ports
from tests.support.commands import started
from tests.support.engines import debian
from tests.support.redis_servers import single, wait_for

PAGE = Path(__file__).parents[2] / "docs/how-to/behind-a-proxy.md"
URL = "https://git.example.com/acme/shop.git"
SECRET = b"s3cr3t"
LIMIT = 25 * 1024 * 1024
RESTARTS = 10
SENDERS = 4
PATIENCE_SECONDS = 10.0
FORGE, STRANGER = "127.0.0.5", "127.0.0.6"
HUB = """
[hub]
listen = "127.0.0.1:{port}"
data = "{data}"
redis = "{redis}"
trusted_proxies = ["127.0.0.1/32"]

[hub.sources.main]
provider = "github"
secrets = ["s3cr3t"]

[hub.sources.bounded]
provider = "github"
secrets = ["s3cr3t"]
allowed_senders = ["127.0.0.5/32"]
"""


class Hubs:
    """Two hub processes on one Redis, each of which can be started again."""

    def __init__(self, place: Path, redis: str) -> None:
        self.ports = free_ports(2)
        self._files = [self._written(place, redis, port) for port in self.ports]
        self._running = [ExitStack(), ExitStack()]
        self._processes: dict[int, subprocess.Popen[str]] = {}

    def start(self, number: int) -> None:
        """Start one, and wait until it listens."""
        command = [sys.executable, "-m", "directcd", "hub", "-c", str(self._files[number])]
        process = self._running[number].enter_context(started(command, "listening"))
        self._processes[number] = process
        cat = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
        self._running[number].callback(cat.wait)

    def restart(self, number: int) -> None:
        """Stop one as a service manager does, and start it again."""
        self._processes[number].terminate()
        assert self._processes[number].wait() == 0
        self.start(number)

    def close(self) -> None:
        """End both."""
        for number, running in enumerate(self._running):
            self._processes[number].terminate()
            running.close()

    @staticmethod
    def _written(place: Path, redis: str, port: int) -> Path:
        file = place / f"{port}.toml"
        file.write_text(HUB.format(port=port, data=place / f"hub-{port}", redis=redis))
        return file


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hubs]:
    """Both of them."""
    place = tmp_path_factory.mktemp("hubs")
    with single(place / "redis", "--appendonly", "yes") as redis:
        found = Hubs(place, redis.url)
        found.start(0)
        found.start(1)
        yield found
        found.close()


def block(language: str, hubs: Hubs) -> str:
    """The first block of a language on the page, with the hubs' addresses."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    text = found[1]
    assert "127.0.0.1:8080" in text
    for old, port in zip(("127.0.0.1:8080", "127.0.0.1:8090"), hubs.ports, strict=True):
        text = text.replace(old, f"127.0.0.1:{port}")
    return text


def caddy(place: Path, port: int, hubs: Hubs) -> list[str]:
    """Its command, without certificates."""
    text = block("caddyfile", hubs).replace("hub.example.com", f":{port}")
    (place / "Caddyfile").write_text(f"{{\n\tadmin off\n\tauto_https off\n}}\n{text}")
    return ["caddy", "run", "--config", f"{place}/Caddyfile", "--adapter", "caddyfile"]


def nginx(place: Path, port: int, hubs: Hubs) -> list[str]:
    """Its command, without certificates."""
    text = re.sub(r" *ssl_certificate.*\n", "", block("nginx", hubs))
    text = text.replace("listen 443 ssl;", f"listen {port};")
    (place / "nginx.conf").write_text(
        f"daemon off; user root; pid {place}/pid; error_log {place}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; client_body_temp_path {place}/body;\n{text} }}\n"
    )
    return ["nginx", "-c", f"{place}/nginx.conf"]


PROXIES = {"caddy": caddy, "nginx": nginx}


@pytest.fixture(scope="module", params=PROXIES)
def proxy(
    hubs: Hubs, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[int]:
    """The port of one that runs as the page says."""
    if debian.is_ours():
        debian.install(caddy="caddy", nginx="nginx-light")
    elif "CI" not in os.environ:
        pytest.skip("installs Caddy and nginx, which only root can")
    place = tmp_path_factory.mktemp("proxy")
    place.chmod(0o755)
    [port] = free_ports(1)
    with subprocess.Popen(
        PROXIES[request.param](place, port, hubs), stderr=subprocess.DEVNULL
    ) as process:
        wait_for(lambda: deliver(port) == 202, "the proxy does not answer")
        yield port
        process.terminate()


_numbers = itertools.count(1)


def deliver(port: int, *, source: str = "main", sender: str = "", size: int = 0) -> int:
    """Post a delivery that is like none before; the status of the answer, 0 for none."""
    number, path = next(_numbers), f"/webhooks/github/{source}"
    commit = f"{number:040x}"
    body = receive_hook.payload("0" * 40, commit, f"refs/heads/branch-{number}", URL)
    body += b" " * (size - len(body))
    headers = receive_hook.headers(body, SECRET)
    if sender:
        headers["X-Forwarded-For"] = FORGE  # which anybody can write
    source_address = (sender, 0) if sender else None
    connection = HTTPConnection("127.0.0.1", port, timeout=30, source_address=source_address)
    try:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def test_bodies_pass_up_to_the_hubs_limit(proxy: int) -> None:
    """And no farther."""
    assert deliver(proxy, size=LIMIT) == 202
    # Caddy hangs up on who goes on sending.
    assert deliver(proxy, size=LIMIT + 4 * 1024 * 1024) in {413, 0}


def test_the_hub_knows_who_sends(proxy: int) -> None:
    """And is not told otherwise by a header."""
    assert deliver(proxy, source="bounded", sender=FORGE) == 202
    assert deliver(proxy, source="bounded", sender=STRANGER) == 403


@contextmanager
def events(port: int) -> Iterator[list[bytes]]:
    """The lines of a stream of events, as they come."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/v1/events", headers={"Accept": "text/event-stream"})
    answer, lines = connection.getresponse(), list[bytes]()
    assert answer.status == 200

    def read() -> None:
        with suppress(OSError, ValueError):
            lines.extend(iter(answer.readline, b""))

    thread = threading.Thread(target=read)
    thread.start()
    yield lines
    assert connection.sock is not None
    connection.sock.shutdown(socket.SHUT_RDWR)
    thread.join()
    connection.close()


def test_events_come_at_once(proxy: int) -> None:
    """Not when a buffer is full."""
    with events(proxy) as lines:
        assert deliver(proxy) == 202
        wait_for(lambda: any(b"branch-" in line for line in lines), "buffered", PATIENCE_SECONDS)


@pytest.mark.parametrize("proxy", ["nginx"], indirect=True)
def test_hubs_are_restarted_and_nobody_is_refused(proxy: int, hubs: Hubs) -> None:
    """One after the other, under load."""
    done, statuses = threading.Event(), list[int]()

    def send() -> None:
        while not done.is_set():
            statuses.append(deliver(proxy))

    with ThreadPoolExecutor(SENDERS) as senders:
        sending = [senders.submit(send) for _ in range(SENDERS)]
        try:
            for number in range(RESTARTS):
                hubs.restart(number % 2)
        finally:
            done.set()
    assert [one.result() for one in sending] == [None] * SENDERS
    assert set(statuses) == {202}
    print(f"{len(statuses)} webhooks during {RESTARTS} restarts, all accepted")  # noqa: T201
