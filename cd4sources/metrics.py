"""
What a scrape of the server's `/metrics` is shown: plain numbers, read off when it asks.

Label values are names of targets, which come from the configuration, and words of ours.
docs/reference/metrics.md lists them all.
"""

import asyncio
import shutil
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from cd4sources.counting import BOUNDS_SECONDS, StageCounts
from cd4sources.workers import Workers

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_PER_TARGET = ("target",)
_RUNNING = "Different versions that clients run, as they said within two minutes."
_HEARD = "1 while the hub is heard; absent without a hub, or with its Redis."


class ServerMetrics:
    """The metrics of one server, whose workers work in `data`."""

    def __init__(self, counts: StageCounts, made: Workers, data: Path) -> None:
        """Take what the numbers are read off."""
        self._counts = counts
        self._made = made
        self._data = data
        self._kept: dict[str, int] = {}
        self._free_bytes = 0

    async def text(self) -> bytes:
        """The exposition."""
        from prometheus_client import CollectorRegistry, generate_latest

        await asyncio.to_thread(self._look)
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def _look(self) -> None:
        """At what takes the disk to tell."""
        store = self._made.store
        self._kept = {name: len(store.list(name)) for name in self._made.followers}
        self._free_bytes = shutil.disk_usage(self._data).free

    def describe(self) -> Iterable["Metric"]:
        """Nothing: the library would otherwise collect once when it is told of this."""
        return ()

    def collect(self) -> Iterator["Metric"]:
        """Every metric, as it is now."""
        yield from self._stages()
        yield from self._targets()
        yield from self._process()

    def _stages(self) -> Iterator["Metric"]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        counts = self._counts
        ended = CounterMetricFamily(
            "directcd_server_stages",
            "Stages that have ended; every pass has one `fetched`, `unchanged` when it met nothing "
            "new.",
            labels=("target", "stage", "result"),
        )
        for labels, number in counts.results.items():
            ended.add_metric(labels, number)
        yield ended
        took = HistogramMetricFamily(
            "directcd_server_stage_duration_seconds",
            "How long stages took that brought something new.",
            labels=("target", "stage"),
        )
        bounds = [*map(str, BOUNDS_SECONDS), "+Inf"]
        for labels, buckets in counts.buckets.items():
            found = list(zip(bounds, accumulate(buckets), strict=True))
            took.add_metric(labels, found, counts.seconds[labels])
        yield took
        caught = CounterMetricFamily(
            "directcd_server_caught_by_poll",
            "Changes that only a poll has found: no notification told of them.",
            labels=_PER_TARGET,
        )
        for labels, number in counts.caught.items():
            caught.add_metric(labels, number)
        yield caught

    def _targets(self) -> Iterator["Metric"]:
        followers, store = self._made.followers, self._made.store
        values: dict[tuple[str, str], dict[str, float]] = {
            ("target_failing", "1 while the last pass did not end well."): {
                name: one.failure is not None for name, one in followers.items()
            },
            ("watchers", "Requests that wait for another version."): {
                name: len(one.offer.watchers) for name, one in followers.items()
            },
            ("versions_kept", "Versions on disk."): dict(self._kept),
            ("versions_running", _RUNNING): {name: len(store.running(name)) for name in followers},
        }
        for (name, what), by_target in values.items():
            yield _gauge(name, what, {(target,): one for target, one in by_target.items()})

    def _process(self) -> Iterator["Metric"]:
        lanes, hearing = self._made.lanes, self._made.hearing
        yield _gauge("builds_running", "Builds under way.", {(): lanes.running})
        yield _gauge("builds_queued", "Builds that wait for their turn.", {(): lanes.queued})
        yield _gauge("disk_free_bytes", "Free where `data` is.", {(): self._free_bytes})
        if hearing:
            yield _gauge("hub_connected", _HEARD, {(): hearing.is_heard})


def _gauge(name: str, what: str, values: Mapping[tuple[str, ...], float]) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    labels = () if () in values else _PER_TARGET
    family = GaugeMetricFamily(f"directcd_server_{name}", what, labels=labels)
    for value_labels, value in values.items():
        family.add_metric(value_labels, value)
    return family
