"""
Honest senders who never pause: `python -m tests.support.sending PORT SECRET_FILE` delivers to a hub
until its input ends, and prints how many deliveries were answered how, as JSON.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.deliveries import SECRET
from tests.support.hub_process import deliver
from tests.support.waiting import eventually

SENDERS = 4


@dataclass
class Senders:
    """Some who deliver one push after the other, each on a connection of its own."""

    port: int
    secret: bytes = SECRET
    statuses: list[int] = field(default_factory=list)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, first: int) -> None:
        """Deliver until it is over."""
        number = time.time_ns() + first  # unlike any other life's
        while not self.is_over.is_set():
            status, _ = await deliver(self.port, number, self.secret)
            self.statuses.append(status)
            number += SENDERS

    async def are_answered(self, times: int) -> None:
        """Wait until they have got so many more answers."""
        wanted = len(self.statuses) + times
        await eventually(lambda: len(self.statuses) >= wanted)


async def _main(senders: Senders) -> None:
    async with asyncio.TaskGroup() as tasks:
        for first in range(1, SENDERS + 1):
            tasks.create_task(senders.send(first), name=f"sender {first}")
        await asyncio.to_thread(sys.stdin.read)
        senders.is_over.set()
    sys.stdout.write(json.dumps(Counter(senders.statuses)))


if __name__ == "__main__":
    secret = Path(sys.argv[2]).read_bytes().strip()
    asyncio.run(_main(Senders(int(sys.argv[1]), secret)))
