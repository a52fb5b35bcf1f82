"""Turns: how many requests are in flight, and how a failing host is left in peace."""

import asyncio

from hub.callbacks.hosts import FAILURES_TO_OPEN, IN_FLIGHT, IN_FLIGHT_PER_HOST, Hosts
from tests.support.waiting import eventually


class Crowd:
    """Many who want a turn at once; each keeps it until released."""

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts
        self.inside = 0
        self.go = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    def come(self, authority: str, number: int) -> None:
        """So many more."""
        self.tasks += [asyncio.create_task(self._one(authority)) for _ in range(number)]

    async def _one(self, authority: str) -> None:
        async with self.hosts.turn(authority):
            self.inside += 1
            try:
                await self.go.wait()
            finally:
                self.inside -= 1

    async def leave(self) -> None:
        """Everybody goes home, whether it was their turn or not."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def fail(hosts: Hosts, times: int) -> None:
    """One host fails."""
    for _ in range(times):
        async with hosts.turn("shop") as host:
            host.failed()


async def test_one_host_does_not_take_all_of_the_turns() -> None:
    """Sixteen for one, and another goes on."""
    crowd = Crowd(Hosts())
    crowd.come("shop", 100)
    await eventually(lambda: crowd.inside == IN_FLIGHT_PER_HOST)
    crowd.come("other", 1)
    await eventually(lambda: crowd.inside == IN_FLIGHT_PER_HOST + 1)
    await crowd.leave()


async def test_a_hub_has_so_many_turns_and_no_more() -> None:
    """However many hosts there are; all come to their turn in the end."""
    crowd = Crowd(Hosts())
    for number in range(100):
        crowd.come(f"host{number}", 1)
    await eventually(lambda: crowd.inside == IN_FLIGHT)
    await asyncio.sleep(0.05)
    assert crowd.inside == IN_FLIGHT
    crowd.go.set()
    await asyncio.gather(*crowd.tasks)


async def test_a_turn_that_is_given_up_is_somebody_elses() -> None:
    """Who is cancelled in line, or in turn, takes nothing along."""
    hosts = Hosts()
    for _ in range(3):
        crowd = Crowd(hosts)
        crowd.come("shop", 100)
        await eventually(lambda crowd=crowd: crowd.inside == IN_FLIGHT_PER_HOST)  # type: ignore[misc]
        await crowd.leave()
    crowd = Crowd(hosts)
    crowd.come("shop", IN_FLIGHT_PER_HOST)
    await eventually(lambda: crowd.inside == IN_FLIGHT_PER_HOST)
    await crowd.leave()


async def test_a_failing_host_is_tried_by_one_at_a_time_after_a_pause() -> None:
    """Also when the one who tried is cancelled."""
    hosts = Hosts()
    await fail(hosts, FAILURES_TO_OPEN - 1)
    assert hosts.failures("shop") == 0
    await fail(hosts, 1)
    assert hosts.failures("shop") == FAILURES_TO_OPEN
    crowd = Crowd(hosts)
    crowd.come("shop", 20)
    await asyncio.sleep(0.1)
    assert crowd.inside == 0
    await eventually(lambda: crowd.inside == 1)
    await asyncio.sleep(0.1)
    assert crowd.inside == 1
    await crowd.leave()
    crowd = Crowd(hosts)
    crowd.come("shop", 20)
    await eventually(lambda: crowd.inside == 1)
    await crowd.leave()


async def test_all_go_on_when_one_has_worked() -> None:
    """Without waiting for pauses of their own."""
    hosts = Hosts()
    await fail(hosts, FAILURES_TO_OPEN)
    crowd = Crowd(hosts)
    async with hosts.turn("shop") as host:
        crowd.come("shop", IN_FLIGHT_PER_HOST)
        await asyncio.sleep(0.05)
        assert crowd.inside == 0
        host.worked()
        await asyncio.sleep(0.2)
        assert crowd.inside == IN_FLIGHT_PER_HOST - 1
    await crowd.leave()
    assert hosts.failures("shop") == 0


async def test_a_person_does_not_wait_for_a_failing_host() -> None:
    """Everybody else does; one that has worked for a person is well again."""
    hosts = Hosts()
    await fail(hosts, FAILURES_TO_OPEN + 3)
    crowd = Crowd(hosts)
    crowd.come("shop", 2)
    await asyncio.sleep(0)
    async with asyncio.timeout(0.4), hosts.turn("shop", at_once=True) as host:
        assert crowd.inside == 0
        host.worked()
    await eventually(lambda: crowd.inside == 2)
    await crowd.leave()


async def test_only_tries_in_turn_make_the_pause_longer() -> None:
    """A storm of failures at once is one failure."""
    hosts = Hosts()
    together = asyncio.Barrier(IN_FLIGHT_PER_HOST)

    async def fail_with_the_others() -> None:
        async with hosts.turn("shop") as host:
            await together.wait()
            host.failed()

    await asyncio.gather(*(fail_with_the_others() for _ in range(IN_FLIGHT_PER_HOST)))
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with hosts.turn("shop"):
        assert loop.time() - started < 1.5


async def test_who_stood_in_line_when_the_host_began_to_fail_does_not_storm_it() -> None:
    """A turn of the hub that comes free is no turn at the host."""
    hosts = Hosts()
    others, crowd = Crowd(hosts), Crowd(hosts)
    for number in range(IN_FLIGHT - 1):
        others.come(f"host{number}", 1)
    await eventually(lambda: others.inside == IN_FLIGHT - 1)
    async with hosts.turn("shop") as host:
        crowd.come("shop", 10)
        await asyncio.sleep(0.05)
        for _ in range(FAILURES_TO_OPEN):
            host.failed()
    others.go.set()
    await asyncio.sleep(0.1)
    assert crowd.inside == 0
    await eventually(lambda: crowd.inside == 1)
    await crowd.leave()


async def test_who_gives_up_before_trying_a_failing_host_lets_another_try() -> None:
    """It has entered as the one who tries, and waits for what is still in flight there."""
    hosts = Hosts()
    crowd = Crowd(hosts)
    async with hosts.turn("shop") as host:
        crowd.come("shop", IN_FLIGHT_PER_HOST - 1)
        await eventually(lambda: crowd.inside == IN_FLIGHT_PER_HOST - 1)
        for _ in range(FAILURES_TO_OPEN):
            host.failed()
        waiting = Crowd(hosts)
        waiting.come("shop", 1)
        await asyncio.sleep(1.2)
        await waiting.leave()
    await crowd.leave()
    crowd = Crowd(hosts)
    crowd.come("shop", 1)
    await eventually(lambda: crowd.inside == 1)
    await crowd.leave()
