"""docs/reference/metrics.md, and the metrics themselves, as a scrape would find them."""

import asyncio
import tempfile
from pathlib import Path

from prometheus_client.metrics_core import Metric

from cd4sources.counting import StageCounts
from cd4sources.hub_api import Hearing
from cd4sources.metrics import ServerMetrics
from cd4sources.settings import ServerSettings
from cd4sources.workers import workers
from hub.app import create_app
from tests.support.hubs import settings
from tests.support.reference.text import code, flat, paragraphs, table, words


def text() -> str:
    """What is made of the page."""
    with tempfile.TemporaryDirectory() as place:
        found = asyncio.run(metrics(Path(place)))
    return paragraphs(
        "## Hub",
        _table({name: one for name, one in found.items() if name.startswith("directcd_hub_")}),
        "## Server",
        _table({name: one for name, one in found.items() if name.startswith("directcd_server_")}),
    )


async def metrics(place: Path) -> dict[str, Metric]:
    """Every metric of hub and server, by the name that Prometheus stores."""
    hub = create_app(settings(place / "hub"))
    async with hub.router.lifespan_context(hub):
        found = list(hub.state.metrics.collect())
    data = ServerSettings(data=place / "server")
    async with workers(data, []) as made:
        object.__setattr__(made, "hearing", Hearing())
        found += ServerMetrics(StageCounts(), made, place).collect()
    return {f"{one.name}_total" if one.type == "counter" else one.name: one for one in found}


def _table(found: dict[str, Metric]) -> str:
    rows = [
        (code(name), one.type, words(one._labelnames), flat(one.documentation))  # type: ignore[attr-defined]
        for name, one in found.items()
    ]
    return table(("metric", "type", "labels", "what"), rows)
