"""
What it costs to explain a delivery and to keep it for people to look at: the hub with and without.

Without means: verified, parsed, deduplicated, stored and published, but nobody asks whom it
reaches, nothing is explained, and neither headers nor payload are kept. Figures are CPU
microseconds a request, as in `bench/ingest.py`, in the same run and in turns.
"""

import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.ingest import LEAST, LOAD_CORE, SIZES, Command, hub_command, one_round, start
from bench.peers import own_command
from directcd.cli import main as directcd
from hub import receiving
from hub.log import redis_append, sqlite_deliveries
from hub.log.values import Appended, DeliveryRecord
from hub.recording import Understood
from hub.verifying import Delivery
from tests.support.redis_servers import single

ROUNDS = 9
NOTHING: dict[str, Any] = {"verdict": "no-match", "event": None, "matched": [], "reason": ""}


class Unexplained:
    """Stands for an explanation."""

    def as_json(self) -> dict[str, Any]:
        """As little as can be answered."""
        return NOTHING


async def _nobody(*_: Any) -> tuple[list[str], list[Any]]:
    return [], []


async def _unrecorded(delivery: Delivery, understood: Understood) -> DeliveryRecord:
    outcome = understood.outcome
    names = ("github", "main", outcome.delivery_id, outcome.event, "no-match")
    return DeliveryRecord(delivery.received_at, *names, NOTHING, NOTHING)


def _forgotten(_: Any, __: Any, appended: Sequence[Any]) -> Appended:
    return Appended(0, duplicate=bool(appended) and not any(appended))


def plain() -> None:
    """Be a hub that neither explains nor records."""
    instead: dict[Any, dict[str, Any]] = {
        receiving: {
            "reach": _nobody,
            "explain": lambda *_, **__: Unexplained(),
            "recorded": _unrecorded,
        },
        sqlite_deliveries: {"append_delivery": _forgotten},
        redis_append: {"_document": lambda *_, **__: b""},
    }
    for module, functions in instead.items():
        vars(module).update(functions)
    directcd()


def without(command: Command) -> Command:
    """The same hub as one that neither explains nor records."""
    return lambda port: [sys.executable, "-P", __file__, *command(port)[3:]]


def hubs(place: Path, redis_port: int) -> dict[str, Command]:
    """Everything that is measured, by name; what is without comes first."""
    found: dict[str, Command] = {LEAST[0]: own_command("bare")}
    for engine, port in (("embedded", 0), ("Redis", redis_port)):
        for name in ("without", "with"):
            (place / f"{engine}-{name}").mkdir()
            command = hub_command(place / f"{engine}-{name}", port)
            found[f"{engine}, {name}"] = without(command) if name == "without" else command
    return found


def compare(commands: dict[str, Command], template: bytes) -> None:
    """Print a table of one size."""
    with ExitStack() as stack:
        started = {name: start(stack, name, command) for name, command in commands.items()}
        there = {name: server for name, server in started.items() if server}
        rounds = [one_round(there, template) for _ in range(ROUNDS + 1)][1:]  # one to warm up
    bare = LEAST[0]
    for name in there:
        cost = statistics.median(one[name] for one in rounds)
        ratio = statistics.median(one[name] / one[bare] for one in rounds)
        print(f"{name:>24} {cost:8.1f} us   ratio to {bare} {ratio:5.2f}")
    for engine in ("embedded", "Redis"):
        more = [one[f"{engine}, with"] - one[f"{engine}, without"] for one in rounds]
        print(f"{engine:>24} {statistics.median(more):+8.1f} us for explaining and recording")


def main() -> None:
    """Print a table for each size."""
    os.sched_setaffinity(0, {LOAD_CORE})
    with (
        tempfile.TemporaryDirectory() as temporary,
        single(Path(temporary) / "server") as redis,
    ):
        commands = hubs(Path(temporary), redis.port)
        for size, template in SIZES.items():
            print(f"{size} ({len(template):,} B)")
            compare(commands, template)


if __name__ == "__main__":
    if sys.argv[1:]:
        plain()
    else:
        main()
