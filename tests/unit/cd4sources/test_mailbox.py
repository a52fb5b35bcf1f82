"""The mailbox keeps the newest wake and nothing else."""

import asyncio

from cd4sources.wakes import Mailbox, Wake


async def test_the_newest_wake_wins() -> None:
    """A thousand wakes during one pass are one more pass, for the newest."""
    mailbox = Mailbox()
    wakes = [Wake("push", str(number)) for number in range(1000)]
    for wake in wakes:
        mailbox.put(wake)
    assert await mailbox.get(0) is wakes[-1]
    assert await mailbox.get(0) is None


async def test_a_waiting_receiver_is_woken() -> None:
    """Who waits gets the wake as soon as it comes."""
    mailbox = Mailbox()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(mailbox.get())
        mailbox.put(wake := Wake("poll"))
    assert waiting.result() is wake


async def test_a_time_out_gives_none() -> None:
    """Nothing in time is no wake."""
    assert await Mailbox().get(0.01) is None


async def test_a_cancelled_receiver_leaves_the_wake() -> None:
    """A wake is not lost with the receiver that did not live to take it."""
    mailbox = Mailbox()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(mailbox.get())
        await asyncio.sleep(0)
        mailbox.put(Wake("gap"))
        waiting.cancel()
    taken = await mailbox.get(0)
    assert taken
    assert taken.reason == "gap"
