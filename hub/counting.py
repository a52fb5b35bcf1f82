"""
What is counted where it happens: plain numbers, which `hub.metrics` shows when it is asked.

A delivery is answered in some 40 microseconds, and telling a metrics library of it would cost two.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence

from hub.log.base import Log, News
from hub.log.values import Gap

BOUNDS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Durations:
    """How often something took how long: numbers between bounds, and their sum in seconds."""

    __slots__ = ("bounds", "counts", "sum_seconds")

    def __init__(self, bounds: Sequence[float] = BOUNDS_SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum_seconds = 0.0

    def add(self, seconds: float) -> None:
        """It took so long once more."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum_seconds += seconds


class Counts:
    """
    What one hub has counted since it started.

    Attributes:
        deliveries: how many were accepted, by source and verdict.
        durations: how long they took from their headers to the disk, by source.
        refusals: how many were refused, by source ("" for none that is configured) and code.
        events: how many events the log has told of.
        open: how many streams and polls are open, by transport.
        attempts: how many callbacks were posted, by result.
        dead_letters: how many were given up.
        missed: pushes that no delivery had told of, by source and by how they were recovered.
        statuses: how many attempts were made to write beside commits, by source and result.
    """

    def __init__(self, sources: Iterable[str] = ()) -> None:
        """
        Args:
            sources: the names of those that are configured.
        """
        self._sources = frozenset(sources)
        self.deliveries: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.durations: defaultdict[str, Durations] = defaultdict(Durations)
        self.refusals: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.events = 0
        self.open = {"stream": 0, "poll": 0}
        self.attempts = {"taken": 0, "failed": 0}
        self.dead_letters = 0
        self.missed: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.statuses: defaultdict[tuple[str, str], int] = defaultdict(int)

    @property
    def summary(self) -> str:
        """In a few words, for who looks at the process from outside."""
        taken, refused = sum(self.deliveries.values()), sum(self.refusals.values())
        streams = self.open["stream"]
        return f"{taken} deliveries taken, {refused} refused; open streams: {streams}"

    def follow(self, log: Log) -> None:
        """Count what a log tells of."""
        log.listen(self._heard)

    def _heard(self, news: News) -> None:
        if not isinstance(news, Gap):
            self.events += len(news)

    def accepted(self, source: str, verdict: str, seconds: float) -> None:
        """A delivery is on disk."""
        self.deliveries[source, verdict] += 1
        self.durations[source].add(seconds)

    def refused(self, source: str, code: str) -> None:
        """A delivery was refused, at a path that says so of its source."""
        self.refusals[source if source in self._sources else "", code] += 1
