"""What all workers of a server share."""

from dataclasses import dataclass

from cd4sources.building.builds import Builds
from cd4sources.building.caches import Caches
from cd4sources.building.lanes import Lanes
from cd4sources.keeping.store import Store
from cd4sources.reporting import Reporter
from cd4sources.settings import ServerSettings
from cd4sources.sources.tips import Tips


@dataclass(frozen=True)
class Means:
    """
    Handed to every worker.

    Attributes:
        settings: Intervals, time-outs and the data directory.
        store: Where versions go.
        builds: Where builds are recorded.
        caches: What builds leave for later ones.
        reporter: Where stages are told.
        lanes: Turns at fetching and building.
        tips: How remotes are asked whether there is anything new. Default: by fetching.
    """

    settings: ServerSettings
    store: Store
    builds: Builds
    caches: Caches
    reporter: Reporter
    lanes: Lanes
    tips: Tips | None = None
