"""
What a scrape of `/metrics` is shown: Prometheus's names, made of plain numbers when it asks.

Label values come from the configuration, are words of ours, or are few: the target of a report is
whatever its sender wrote, so no more than `counting_trail.TARGETS_MOST` of them are told apart.
Names: https://prometheus.io/docs/practices/naming/; docs/reference/metrics.md lists them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING

from hub.callbacks.worker import Callbacks
from hub.counting import Counts, Durations
from hub.counting_trail import TrailCounts
from hub.fanout import Fanout
from hub.log.base import Log
from hub.sources import Source
from hub.subscriptions import Registry

if TYPE_CHECKING:
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
    )


Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogState:
    """
    How the log is.

    Attributes:
        degraded: why it is not all it should be, "" when it is.
        spooled: how many deliveries wait on this hub's disk.
        spooled_bytes: their bytes.
    """

    degraded: str = ""
    spooled: int = 0
    spooled_bytes: int = 0


@dataclass(frozen=True)
class Watched:
    """What the numbers are read off."""

    counts: Counts
    trail: TrailCounts
    sources: Sequence[Source]
    log: Log
    registry: Registry
    fanout: Fanout
    callbacks: Callbacks
    clock: Callable[[], datetime]


class HubMetrics:
    """The metrics of one hub."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._state = LogState()

    def text(self, state: LogState) -> bytes:
        """The exposition. The library is loaded by the first: who is not scraped starts faster."""
        from prometheus_client import CollectorRegistry, generate_latest

        self._state = state
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def describe(self) -> Iterable["Metric"]:
        """Nothing: the library would otherwise collect once when it is told of this."""
        return ()

    def collect(self) -> Iterator["Metric"]:
        """Every metric, as it is now."""
        yield from _deliveries(self._watched)
        yield from _followers(self._watched)
        yield from _log(self._watched, self._state)
        yield from _trail(self._watched.trail)
        yield from _statuses(self._watched.counts)


def _deliveries(watched: Watched) -> Iterator["Metric"]:
    counts = watched.counts
    providers = {source.name: source.provider for source in watched.sources}
    taken = _counter(
        "directcd_hub_deliveries",
        "Deliveries that were accepted and are on disk.",
        ("provider", "source", "verdict"),
    )
    for (source, verdict), number in counts.deliveries.items():
        taken.add_metric((providers.get(source, ""), source, verdict), number)
    yield taken
    refused = _counter(
        "directcd_hub_refusals",
        "Deliveries that were refused; `source` is empty for one that is not configured.",
        ("source", "code"),
    )
    for labels, number in counts.refusals.items():
        refused.add_metric(labels, number)
    yield refused
    missed = _counter(
        "directcd_hub_missed_webhooks",
        "Pushes that no delivery had told of: the forge was asked to repeat it (`redelivered`), or "
        "the hub told of it itself (`synthesised`).",
        ("source", "recovery"),
    )
    for labels, number in counts.missed.items():
        missed.add_metric(labels, number)
    yield missed
    yield _histogram(
        "directcd_hub_delivery_duration_seconds",
        "From a delivery's headers until it was on disk.",
        {(source,): durations for source, durations in counts.durations.items()},
        ("source",),
    )


def _followers(watched: Watched) -> Iterator["Metric"]:
    counts = watched.counts
    yield _gauge(
        "directcd_hub_followers",
        "Streams and polls that are open: `stream`, `poll`.",
        {(kind,): number for kind, number in counts.open.items()},
        ("transport",),
    )
    yield _gauge(
        "directcd_hub_subscriptions",
        "Subscriptions, by how they are told (`stream`, `callback`) and whether they are "
        "(`active`, `paused`, `expired`).",
        _subscriptions(watched),
        ("deliver", "state"),
    )
    yield _gauge(
        "directcd_hub_follower_lag_events",
        "Events that wait for the stream or poll that is furthest behind; from 1,000 on it is told "
        "of a gap.",
        {(): watched.fanout.furthest_behind},
    )
    yield _gauge(
        "directcd_hub_callback_lag_events",
        "Events between the log's newest and where the callback furthest behind stands, of those "
        "that this hub posts.",
        {(): watched.callbacks.lag},
    )
    attempts = _counter(
        "directcd_hub_callback_attempts",
        "Callbacks that were posted: `taken`, `failed`.",
        ("result",),
    )
    for result, number in counts.attempts.items():
        attempts.add_metric((result,), number)
    yield attempts
    buried = _counter("directcd_hub_dead_letters", "Callbacks that were given up.")
    buried.add_metric((), counts.dead_letters)
    yield buried


def _subscriptions(watched: Watched) -> Mapping[Labels, int]:
    now = watched.clock()
    found: defaultdict[Labels, int] = defaultdict(int)
    for one in watched.registry.all():
        state = "paused" if one.paused else "expired" if one.expires_at <= now else "active"
        found["callback" if one.callback else "stream", state] += 1
    return found


def _log(watched: Watched, state: LogState) -> Iterator["Metric"]:
    events = _counter("directcd_hub_events", "Events that the log has told of.")
    events.add_metric((), watched.counts.events)
    yield events
    for name, what, value in (
        (
            "log_degraded",
            "1 while the log is not all it should be; /readyz says why.",
            bool(state.degraded),
        ),
        ("log_head_position", "Position of the log's newest event.", watched.log.head.position),
        ("spool_deliveries", "Deliveries that wait for Redis on this hub's disk.", state.spooled),
        ("spool_bytes", "Bytes of what waits there.", state.spooled_bytes),
    ):
        yield _gauge(f"directcd_hub_{name}", what, {(): value})


def _statuses(counts: Counts) -> Iterator["Metric"]:
    written = _counter(
        "directcd_hub_commit_statuses",
        "Attempts to write a commit status or a deployment at a forge: `sent`, `refused`, `away`, "
        "`limited`.",
        ("source", "result"),
    )
    for labels, number in counts.statuses.items():
        written.add_metric(labels, number)
    yield written


def _trail(trail: TrailCounts) -> Iterator["Metric"]:
    ended = _counter(
        "directcd_hub_stages",
        "Stages that servers and clients reported here, by how they ended.",
        ("target", "stage", "result"),
    )
    for labels, number in trail.stages.items():
        ended.add_metric(labels, number)
    yield ended
    yield _histogram(
        "directcd_hub_stage_duration_seconds",
        "How long stages took that went well.",
        trail.durations,
        ("target", "stage"),
    )
    yield _histogram(
        "directcd_hub_push_to_running_seconds",
        "From a push's receipt here until its version ran.",
        {(target,): durations for target, durations in trail.to_running.items()},
        ("target",),
    )
    caught = _counter(
        "directcd_hub_caught_by_poll",
        "Changes that only a poll has found: no delivery told of them.",
        ("target",),
    )
    for target, number in trail.caught.items():
        caught.add_metric((target,), number)
    yield caught


def _histogram(
    name: str, what: str, values: Mapping[Labels, Durations], labels: Sequence[str]
) -> "HistogramMetricFamily":
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(name, what, labels=labels)
    for value_labels, one in values.items():
        bounds = [*map(str, one.bounds), "+Inf"]
        buckets = list(zip(bounds, accumulate(one.counts), strict=True))
        family.add_metric(value_labels, buckets, one.sum_seconds)
    return family


def _counter(name: str, what: str, labels: Sequence[str] = ()) -> "CounterMetricFamily":
    from prometheus_client.core import CounterMetricFamily

    return CounterMetricFamily(name, what, labels=labels)


def _gauge(
    name: str, what: str, values: Mapping[Labels, float], labels: Sequence[str] = ()
) -> "GaugeMetricFamily":
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(name, what, labels=labels)
    for value_labels, value in values.items():
        family.add_metric(value_labels, value)
    return family
