"""Both Compose stacks: they come up healthy, are hardened, deliver, and lose no webhook."""

import itertools
import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection

import pytest

from tests.support.engines.docker import Engine
from tests.support.engines.stacks import COMPOSE, Stack, prepared
from tests.support.redis_servers import wait_for

REPLACEMENTS = 6
SENDERS = 4
PAUSE_SECONDS = 0.02  # so that fewer are sent than a hub keeps
DELIVERED_SECONDS = 60.0
HELD = 24 * 1024 * 1024


@pytest.fixture(scope="module", params=["compose.yaml", "compose.redis.yaml"])
def stack(
    stock: Engine, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Stack]:
    """One that is up and healthy, as `docker compose up --wait` says."""
    with prepared(stock, tmp_path_factory.mktemp("stack"), request.param) as found:
        found("up", "--detach", "--wait", "--wait-timeout", "180")
        yield found


def test_a_signed_push_reaches_the_new_process(stack: Stack) -> None:
    """Through the proxy, where there is one, to every client."""
    stack.commit("Second")
    assert stack.tell() == 202
    ports = stack.program_ports if "redis" in stack.file else stack.program_ports[:1]

    def arrived() -> bool:
        return all(stack.says("Second", port) for port in ports)

    wait_for(arrived, "not delivered", DELIVERED_SECONDS)
    assert [one["verdict"] for one in stack.deliveries()] == ["matched"]


def test_a_wrong_signature_is_refused(stack: Stack) -> None:
    """Also through the proxy."""
    assert stack.deliver("0" * 40, "1" * 40, secret="wrong") == 401


@pytest.mark.parametrize("stack", ["compose.yaml"], indirect=True)
def test_the_pages_commands_show_what_happened(stack: Stack) -> None:
    """Those that ask from within a container, as they are written."""
    page = (COMPOSE.parents[1] / "docs/how-to/run-with-compose.md").read_text()
    commands = re.findall(r"^docker compose (exec .*)$", page, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        words = command.split()
        assert "greeter" in stack(words[0], "--no-TTY", *words[1:])


@pytest.mark.parametrize("stack", ["compose.redis.yaml"], indirect=True)
def test_slow_large_bodies_keep_nobody_out(stack: Stack) -> None:
    """Of strangers who cannot sign, few and many: large honest ones are taken meanwhile."""
    with ExitStack() as open_ones:
        for sent in [HELD - 1] * 8 + [1] * 100:
            held = socket.create_connection(("127.0.0.1", stack.hub_port))
            open_ones.enter_context(held)
            head = (
                f"POST /webhooks/gitea/main HTTP/1.1\r\nHost: h\r\nContent-Length: {HELD}\r\n\r\n"
            )
            held.sendall(head.encode() + b"x" * sent)
        statuses = [stack.deliver("0" * 40, f"{number:040x}", size=2**20) for number in range(1, 6)]
    assert statuses == [202] * 5


@pytest.mark.parametrize("stack", ["compose.redis.yaml"], indirect=True)
def test_events_pass_the_proxy_as_they_come(stack: Stack) -> None:
    """Not when a buffer is full."""
    token = (stack.directory / "secrets/operator").read_text()
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {token}"}
    connection = HTTPConnection("127.0.0.1", stack.hub_port, timeout=DELIVERED_SECONDS)
    connection.request("GET", "/v1/events", headers=headers)
    answer = connection.getresponse()
    commit = "e" * 40
    assert stack.deliver("0" * 40, commit, "refs/heads/streamed") == 202
    assert any(commit.encode() in line for line in iter(answer.readline, b""))
    connection.close()


def test_every_container_is_hardened(stack: Stack) -> None:
    """Read-only, without capabilities, no privileges to be had, and not root."""
    found = json.loads(stack.engine("inspect", *stack.containers()))
    assert len(found) == len(stack.containers())
    for one in found:
        host, name = one["HostConfig"], one["Name"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert int(one["Config"]["User"].partition(":")[0]) > 0, name
        assert host["Memory"] > 0, name


def test_no_secret_is_shown_by_the_engine(stack: Stack) -> None:
    """Neither in arguments nor in variables, and the log has none."""
    secrets = [
        file.read_text()
        for file in (stack.directory / "secrets").iterdir()
        if "users" not in file.name
    ]
    shown = stack.engine("inspect", *stack.containers()) + stack("logs", "--no-color")
    assert not [one for one in secrets if one in shown]


@pytest.mark.parametrize("stack", ["compose.redis.yaml"], indirect=True)
def test_hubs_are_replaced_under_load_and_nobody_is_refused(stack: Stack) -> None:
    """One after the other, as the file says, again and again; what was accepted is there."""
    done, statuses = threading.Event(), []

    def send(sender: int) -> None:
        for number in itertools.count():
            if done.wait(PAUSE_SECONDS):
                return
            commit = f"{sender:08x}{number:032x}"
            statuses.append(stack.deliver("0" * 40, commit, f"refs/heads/load-{commit}"))

    with ThreadPoolExecutor(SENDERS) as senders:
        sending = [senders.submit(send, sender) for sender in range(1, 1 + SENDERS)]
        try:
            for number in range(REPLACEMENTS):
                words = ("up", "--detach", "--no-deps", "--force-recreate", "--wait")
                stack(*words, f"hub-{1 + number % 2}")
        finally:
            done.set()
    assert [one.result() for one in sending] == [None] * SENDERS
    assert set(statuses) == {202}
    taken = {one["ref"] for one in stack.deliveries("q=load-")}
    assert len(taken) == len(statuses)
    print(f"{len(statuses)} webhooks during {REPLACEMENTS} replacements, all accepted")  # noqa: T201
