"""Who is called back: one server for all callbacks, each subscription at a path of its own."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.chaos.hubs import HubProcess, quiet_ports
from tests.chaos.ledger import REPOSITORIES, url
from tests.chaos.subscribers import Subscriber, decode

SUBSCRIPTIONS = 5
GAP_TYPE = b'"dev.directcd.gap.v1"'
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class Receiver:
    """
    Receives callbacks.

    Attributes:
        subscribers: by path.
        ids: how often each `webhook-id` came.
        strangers: notifications that came again under another id.
    """

    def __init__(self) -> None:
        self.subscribers: dict[str, Subscriber] = {}
        self.ids: Counter[str] = Counter()
        self.strangers: list[str] = []
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._id_of: dict[tuple[str, str], str] = {}

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, in a task of its own."""
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._connections[task] = writer
        task.add_done_callback(self._connections.pop)

    async def close(self) -> None:
        """End every connection."""
        for writer in self._connections.values():
            writer.transport.abort()
        await asyncio.gather(*self._connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.strip().split("\r\n")
                pairs = (line.partition(":") for line in lines)
                headers = {name.lower(): value.strip() for name, _, value in pairs}
                body = await reader.readexactly(int(headers["content-length"]))
                await self._take(first.split()[1], headers["webhook-id"], body)
                writer.write(ANSWER)
        writer.close()

    async def _take(self, path: str, webhook_id: str, body: bytes) -> None:
        subscriber = self.subscribers[path]
        self.ids[webhook_id] += 1
        if self.ids[webhook_id] > 1:
            return
        if GAP_TYPE in body:
            await subscriber.gap(json.loads(body)["data"]["reason"], "callback")
            return
        message = decode(body)
        known = self._id_of.setdefault((path, message.id), webhook_id)
        if known != webhook_id:
            self.strangers.append(f"{path}: {message.id} as {known} and {webhook_id}")
        subscriber.take(message, "callback")


@asynccontextmanager
async def called_back(subscribers: list[Subscriber], hub: HubProcess) -> AsyncIterator[Receiver]:
    """Subscribe each to its share of the repositories, and take what is posted."""
    receiver = Receiver()
    [port] = quiet_ports(1)
    server = await asyncio.start_server(receiver.accept, "127.0.0.1", port)
    try:
        for subscriber in subscribers:
            path = f"/{subscriber.name}"
            receiver.subscribers[path] = subscriber
            await _subscribe(subscriber, hub, f"http://127.0.0.1:{port}{path}")
        yield receiver
    finally:
        server.close()
        await receiver.close()


def share(number: int) -> frozenset[int]:
    """The repositories of the `number`-th callback."""
    return frozenset(range(number, REPOSITORIES, SUBSCRIPTIONS))


async def _subscribe(subscriber: Subscriber, hub: HubProcess, callback: str) -> None:
    document = {
        "name": subscriber.name,
        "repositories": [{"url": url(number)} for number in subscriber.repositories or ()],
        "lease_seconds": 86_400,
        "deliver": {"mode": "callback", "url": callback},
    }
    answer = await hub.post("/v1/subscriptions", document)
    assert answer.status == 201, answer
    subscriber.ready.set()
    subscriber.timeline.note(f"{subscriber.name} begins at {json.loads(answer.body)['cursor']}")
