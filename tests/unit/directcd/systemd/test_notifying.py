"""What a service manager is told, on real sockets."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from directcd.life import Life
from directcd.systemd.notifying import Manager, keep_told, manager_in
from tests.support.service_manager import Told, told_at

QUICK_SECONDS = 0.1
AT_ONCE_SECONDS = 0.5


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Both kinds of addresses there are."""
    return str(tmp_path / "notify") if request.param == "path" else f"@directcd-{tmp_path}"


@pytest.fixture
def told(address: str) -> Iterator[Told]:
    """What is said to it."""
    with told_at(address) as found:
        yield found


def test_nobody_is_told_without_a_manager() -> None:
    """As on a terminal, and where the address is of a kind we do not speak."""
    assert manager_in({}) is None
    assert manager_in({"NOTIFY_SOCKET": "vsock:2:9999"}) is None


def test_the_environment_names_the_manager_no_longer() -> None:
    """What is started from here must not speak in our name."""
    environment = {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1", "A": ""}
    assert manager_in(environment) is not None
    assert environment == {"A": ""}


@pytest.mark.parametrize(
    ("pid", "seconds"), [(str(os.getpid()), 3.0), ("", 3.0), ("1", 0.0)], ids=["us", "all", "other"]
)
def test_a_watchdog_of_another_process_is_not_ours(pid: str, seconds: float) -> None:
    """A child that was meant to ping would keep a stuck parent alive."""
    environment = {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": pid}
    assert manager_in(environment) == Manager("/n", seconds)


def test_the_watchdog_hears_of_us_twice_as_often_as_it_must() -> None:
    """And `systemctl status` at least every five seconds."""
    assert Manager("/n", 3.0).pulse_seconds == 1.5
    assert Manager("/n", 60.0).pulse_seconds == Manager("/n").pulse_seconds == 5.0


def test_a_sentence_of_two_lines_is_one_variable(address: str, told: Told) -> None:
    """A line break would begin another variable, such as MAINPID."""
    Manager(address).tell(STATUS="shop\nMAINPID=1")
    assert told.next() == {"STATUS": "shop MAINPID=1"}


@pytest.mark.parametrize("text", ["9" * 400, "9" * 5000, "-1", "1.5", "٣", ""])
def test_a_watchdog_that_is_no_number_is_none(text: str) -> None:
    """Whatever its length, and whatever Python would take for a number."""
    environment = {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": text}
    assert manager_in(environment) == Manager("/n")


def test_an_impatient_watchdog_makes_no_busy_loop() -> None:
    """A microsecond cannot be kept."""
    found = manager_in({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "1"})
    assert found is not None
    assert found.pulse_seconds == 0.1


def test_a_manager_that_is_gone_is_no_reason_to_fail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said in the log, once until it is there again."""
    manager = Manager(str(tmp_path / "notify"))
    assert not manager.tell(READY=1)
    assert not manager.tell(READY=1)
    assert caplog.text.count("cannot be told") == 1
    with told_at(manager.address):
        assert manager.tell(READY=1)
    manager.tell(READY=1)
    assert caplog.text.count("cannot be told") == 2


async def test_a_manager_that_does_not_read_is_not_waited_for(address: str, told: Told) -> None:
    """A full buffer; when it reads again it hears that all is ready."""
    manager, stopping = Manager(address, QUICK_SECONDS), asyncio.Event()
    began = time.monotonic()
    while manager.tell(STATUS="full"):
        pass
    assert time.monotonic() - began < AT_ONCE_SECONDS
    life = Life(stopping)
    life.ready.set()
    telling = asyncio.create_task(keep_told(manager, [life], stopping))
    await asyncio.sleep(0)
    assert await asyncio.to_thread(told.until, "READY")
    telling.cancel()


async def test_ready_is_said_when_all_parts_are_and_stopping_at_once(
    address: str, told: Told
) -> None:
    """Who waits for the unit may count on all of it."""
    stopping = asyncio.Event()
    lives = [Life(stopping, standing=lambda: "hub: fine"), Life(stopping, standing=lambda: "v-1")]
    telling = asyncio.create_task(keep_told(Manager(address, QUICK_SECONDS), lives, stopping))
    assert await asyncio.to_thread(told.next) == {"WATCHDOG": "1", "STATUS": "hub: fine; v-1"}
    lives[0].ready.set()
    assert await asyncio.to_thread(told.next) == {"WATCHDOG": "1"}
    lives[1].ready.set()
    ready = await asyncio.to_thread(told.until, "READY")
    assert ready == {"READY": "1", "STATUS": "hub: fine; v-1"}
    stopping.set()
    assert (await asyncio.to_thread(told.until, "STOPPING"))["STATUS"] == "stopping"
    telling.cancel()


async def test_a_stop_may_last_as_long_as_it_is_said_to(address: str, told: Told) -> None:
    """Each message asks for more time, so a program's own time to stop need not be known."""
    stopping = asyncio.Event()
    stopping.set()
    manager = Manager(address, QUICK_SECONDS)
    telling = asyncio.create_task(keep_told(manager, [Life(stopping)], stopping))
    for _ in range(3):
        more = await asyncio.to_thread(told.next)
        assert int(more["EXTEND_TIMEOUT_USEC"]) == 4 * manager.pulse_seconds * 1_000_000
    telling.cancel()


async def test_what_the_process_does_is_said_when_it_changes(address: str, told: Told) -> None:
    """And not in each message."""
    stopping, sentences = asyncio.Event(), ["v-1 runs"]
    life = Life(stopping, standing=lambda: sentences[-1])
    manager = Manager(address, QUICK_SECONDS)
    telling = asyncio.create_task(keep_told(manager, [life], stopping))
    assert (await asyncio.to_thread(told.next))["STATUS"] == "v-1 runs"
    assert "STATUS" not in await asyncio.to_thread(told.next)
    sentences.append("v-2 runs")
    assert (await asyncio.to_thread(told.until, "STATUS"))["STATUS"] == "v-2 runs"
    telling.cancel()


async def test_a_loop_that_is_stuck_sends_no_pings(address: str, told: Told) -> None:
    """So that the manager kills it; a thread that pings would hide it."""
    stopping, silent = asyncio.Event(), threading.Event()
    manager = Manager(address, QUICK_SECONDS)
    telling = asyncio.create_task(keep_told(manager, [Life(stopping)], stopping))
    await asyncio.to_thread(told.until, "WATCHDOG")

    def watch() -> None:
        if told.is_silent_for(5 * QUICK_SECONDS):
            silent.set()

    watching = threading.Thread(target=watch)
    watching.start()
    watching.join()  # the loop does nothing meanwhile
    assert silent.is_set()
    telling.cancel()
