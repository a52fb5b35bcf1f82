"""What is written of metrics in deploy/helm/directcd/grafana, against what there is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric

from tests.support.reference.metrics import metrics

ROOT = Path(__file__).parents[3]
GRAFANA = ROOT / "deploy" / "helm" / "directcd" / "grafana"
_NAME = re.compile(r"\bdirectcd_(?:hub|server)_[a-z_]+")
_OF_HISTOGRAMS = ("_bucket", "_count", "_sum")


@pytest.fixture
async def there_is(tmp_path: Path) -> dict[str, Metric]:
    """Every metric of hub and server, by the name that Prometheus stores."""
    return await metrics(tmp_path)


def named(text: str) -> set[str]:
    """The metrics that a text names; a histogram's by their own name."""
    return {
        next((name.removesuffix(end) for end in _OF_HISTOGRAMS if name.endswith(end)), name)
        for name in _NAME.findall(text)
    }


async def test_dashboard_and_alerts_name_what_there_is(there_is: dict[str, Metric]) -> None:
    """And between them all that there is, but for what only explains others."""
    board, alerts = (
        (GRAFANA / name).read_text(encoding="utf-8") for name in ("dashboard.json", "alerts.yaml")
    )
    assert named(board + alerts) <= there_is.keys()
    left_out = there_is.keys() - named(board)
    assert left_out == {
        "directcd_hub_events_total",
        "directcd_hub_spool_deliveries",
        "directcd_hub_stages_total",
        "directcd_server_caught_by_poll_total",
    }


def test_the_dashboard_is_whole() -> None:
    """Panels of their own numbers, side by side, each with a question."""
    board: dict[str, Any] = json.loads((GRAFANA / "dashboard.json").read_text(encoding="utf-8"))
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["targets"] for panel in panels if panel["type"] != "row")
    assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in panels)
