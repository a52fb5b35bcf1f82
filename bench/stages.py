"""
Where the hub's CPU goes for one signed GitHub push: every stage alone, in a tight loop.

The reference is the least any receiver does, `hmac.digest` and `json.loads` of the same body; a
ratio is the median of those of each round. What a whole request costs, `scripts/bench ingest` says:
it is more than the sum, because uvicorn and the kernel are not in here, and because code that runs
once a request finds nothing of itself in the processor's caches.
"""

import gc
import hmac
import json
import logging
import os
import statistics
from collections.abc import Callable
from contextlib import redirect_stderr
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hiredis

from adapters import Request
from bench.adapters import cpu_us, push, small
from directcd.logs import set_up
from hub.api.asgi import header_map
from hub.explaining import explain
from hub.log.messages import event_of, message_of
from hub.log.redis_append import Appender, Limits, Moment, appended
from hub.log.redis_keys import Keys
from hub.log.sqlite import SqliteLog
from hub.log.values import Cursor, DeliveryRecord
from hub.notification import complete_paths, new_events
from hub.reaching import Push, reach
from hub.recording import Laps, Understood, recorded
from hub.settings import SourceSettings
from hub.sources import Source
from hub.subscriptions import Registry
from hub.verifying import Delivery, read_delivery

logger = logging.getLogger(__name__)

SECRET = b"a secret of the benchmark"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ORIGIN = "https://hub.example.com/webhooks/github/main"
ROUNDS = 9
CALLS = 2_000
SIZES = {"10 KB": push(8, "Change the basket"), "1 KB": small()}


def headers_of(body: bytes) -> list[tuple[bytes, bytes]]:
    """What uvicorn hands on."""
    signature = hmac.digest(SECRET, body, "sha256").hex()
    return [
        (b"host", b"hub.example.com"),
        (b"user-agent", b"GitHub-Hookshot/044aadd"),
        (b"content-length", b"%d" % len(body)),
        (b"accept", b"*/*"),
        (b"content-type", b"application/json"),
        (b"x-github-delivery", b"72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        (b"x-github-event", b"push"),
        (b"x-github-hook-id", b"292430182"),
        (b"x-github-hook-installation-target-id", b"79929171"),
        (b"x-github-hook-installation-target-type", b"repository"),
        (b"x-hub-signature-256", b"sha256=" + signature.encode()),
    ]


def run(coroutine: Any) -> Any:
    """What a coroutine that waits for nothing returns."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits for something")


class Stages:
    """One delivery, as far as each stage has come with it."""

    def __init__(self, body: bytes, registry: Registry) -> None:
        self.body = body
        self.raw = headers_of(body)
        self.registry = registry
        settings = SourceSettings.model_validate({"provider": "github", "secrets": [SECRET]})
        self.source = Source("main", settings)
        request = Request(header_map({"headers": self.raw}), body, "", NOW)
        self.delivery = Delivery(self.source, request, NOW, None, "203.0.113.1", 0.1)
        [self.secret] = self.source.secrets()
        self.outcome = self.read()
        self.events = self.notify()
        self.record = self.explain()
        self.cursor = Cursor(1_760_000_000_000, 41, 0xABCDEF)
        self.message = message_of(self.cursor, self.events[0].tail)
        self.appender = Appender(Keys("directcd"), Limits(100_000, 10_000, 1_000, 600.0), "PUBLISH")

    def reference(self) -> None:
        """What every receiver has to do."""
        hmac.digest(SECRET, self.body, "sha256")
        json.loads(self.body)

    def read(self) -> Any:
        """Headers, signature, payload."""
        request = Request(header_map({"headers": self.raw}), self.body, "", NOW)
        reading: Any = read_delivery(Delivery(self.source, request, NOW))
        return reading.outcome

    def notify(self) -> Any:
        """The notification's bytes and its place in the log."""
        return new_events(self.outcome, origin=ORIGIN, provider="github", received_at=NOW)

    def match(self) -> Any:
        """Whom it reaches."""
        news = Push(self.events, complete_paths(self.outcome), NOW)
        return run(reach(self.registry, news))

    def explain(self) -> DeliveryRecord:
        """Why, and what is remembered of it."""
        explanation = explain(self.outcome, *self.match()).as_json()
        laps = Laps({"read_ms": 0.1})
        understood = Understood(self.outcome, self.secret, explanation, self.events, laps)
        record: DeliveryRecord = run(recorded(self.delivery, understood))
        return record

    def ask(self) -> Any:
        """The script's arguments, as Redis reads them."""
        arguments = self.appender.arguments(
            self.record, self.events, Moment(1.76e9, 1.76e9), last=True, part=0, before_new=False
        )
        command: Any = ("EVALSHA", "0" * 40, "9", *arguments)  # their stub is too narrow
        return hiredis.pack_command(command)

    def hear(self) -> Any:
        """Redis' reply, and the event that comes back by pub/sub."""
        appended([[41, 0, str(self.cursor).encode()]])
        return event_of(self.message)

    def tell(self) -> None:
        """The log's line."""
        explanation = self.record.explanation
        keys = {"verdict": "matched", "provider": "github", "source": "main", "delivery": "d-1"}
        keys |= {"repository": explanation["event"]["repository"], "ref": "refs/heads/main"}
        logger.info("delivery", extra=keys)


def stages(one: Stages) -> dict[str, Callable[[], Any]]:
    """The stages by name; the first is the reference."""
    return {
        "hmac + json.loads (reference)": one.reference,
        "headers, verify, parse": one.read,
        "notification": one.notify,
        "match": one.match,
        "match, explain, record": one.explain,
        "the script's arguments": one.ask,
        "reply, and the event heard": one.hear,
        "the log's line": one.tell,
    }


def show(title: str, one: Stages) -> None:
    """Print a line for each stage."""
    timed = stages(one)
    rounds = [[cpu_us(stage, CALLS) for stage in timed.values()] for _ in range(ROUNDS)]
    print(title)
    for index, name in enumerate(timed):
        cost = statistics.median(costs[index] for costs in rounds)
        ratio = statistics.median(costs[index] / costs[0] for costs in rounds)
        print(f"{name:>32} {cost:7.1f} us   ratio {ratio:5.2f}")


def main() -> None:
    """Print a table for each size."""
    with TemporaryDirectory() as place, Path(os.devnull).open("w", encoding="ascii") as nowhere:
        registry = Registry(SqliteLog(Path(place)))
        with redirect_stderr(nowhere):
            set_up()
        for title, body in SIZES.items():
            show(f"{title} ({len(body):,} B)", Stages(body, registry))


if __name__ == "__main__":
    gc.disable()
    main()
