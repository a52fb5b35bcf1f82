"""The forges: fifty repositories that are pushed to, each push after the last one's answer."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.chaos.http import NoAnswer, Refused, request
from tests.chaos.hubs import HubProcess
from tests.chaos.ledger import REPOSITORIES, Attempt, Ledger, Push

WEBHOOK = "/webhooks/github/main"
ANSWER_SECONDS = 10.0  # GitHub's patience
COPIED = 0.05  # of all pushes come twice
STRAYING = 0.01  # of all pushes make their repository's forge go to the other hub
AGAIN_SECONDS = 0.02
REFUSED = "refused"


class Load:
    """Pushes at a rate until it is stopped, and then until everything is acknowledged."""

    def __init__(
        self, hubs: Sequence[HubProcess], seed: int, rate: float, copied: float = COPIED
    ) -> None:
        """
        Args:
            hubs: where to deliver; whoever refuses or does not answer is left for the next one.
            seed: of the times and choices.
            rate: webhooks a second, of all repositories together.
            copied: how many of all pushes are posted twice.
        """
        self.ledger = Ledger()
        self._hubs = hubs
        self._seed = seed
        self._pause_seconds = REPOSITORIES / rate
        self._copied = copied
        self._stopping = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Load"]:
        """Push while the block runs; at its end everything was answered with success."""
        async with asyncio.TaskGroup() as tasks:
            for repository in range(REPOSITORIES):
                tasks.create_task(self._push_on(repository, tasks), name=f"forge {repository}")
            try:
                yield self
            finally:
                self._stopping.set()

    async def _push_on(self, repository: int, tasks: asyncio.TaskGroup) -> None:
        dice = random.Random(f"{self._seed} {repository}")  # noqa: S311 - to be repeated
        hub = dice.randrange(len(self._hubs))
        await asyncio.sleep(dice.uniform(0, self._pause_seconds))
        while not self._stopping.is_set():
            due = time.monotonic() + self._pause_seconds * dice.uniform(0.5, 1.5)
            push = self.ledger.new(repository)
            if dice.random() < self._copied:
                tasks.create_task(self._copy(push, hub + 1, dice.uniform(0, 0.1)))
            hub = await self._deliver(push, hub)
            hub += dice.random() < STRAYING
            await asyncio.sleep(due - time.monotonic())

    async def _deliver(self, push: Push, hub: int) -> int:
        while True:
            attempt = await self._attempt(push, hub)
            push.attempts.append(attempt)
            if 200 <= attempt.status < 300:
                push.acknowledged = attempt
                return hub
            hub += 1
            if attempt.what != REFUSED or len(push.attempts) > 1:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _copy(self, push: Push, hub: int, later_seconds: float) -> None:
        await asyncio.sleep(later_seconds)
        push.copies.append(await self._attempt(push, hub))

    async def _attempt(self, push: Push, number: int) -> Attempt:
        hub = self._hubs[number % len(self._hubs)]
        label, began = hub.label, time.monotonic()
        status = 0
        try:
            answer = await request(
                hub.port,
                WEBHOOK,
                body=push.post.body,
                headers=push.post.headers,
                seconds=ANSWER_SECONDS,
            )
            status, what = answer.status, answer.body.decode()[:300] if answer.status >= 300 else ""
        except Refused:
            what = REFUSED
        except NoAnswer as error:
            what = f"no answer: {error}"
        return Attempt(label, began, time.monotonic(), status, what)
