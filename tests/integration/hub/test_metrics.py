"""`GET /metrics` of the hub: what is counted, and with which labels."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hub.counting_trail import TARGETS_MOST
from tests.support.deliveries import SHOP, A, push
from tests.support.hubs import hub_client, post, settings, subscribe

TRACE = f"00-{'1' * 32}-{'2' * 16}-01"


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with hub_client(settings(tmp_path)) as client:
        yield client


async def scraped(hub: httpx.AsyncClient) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample by its name and its labels' values, in the order of the labels' names."""
    answer = await hub.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name.removeprefix("directcd_hub_"), _values(sample.labels)): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def _values(labels: dict[str, str]) -> tuple[str, ...]:
    return tuple(labels[name] for name in sorted(labels))


def report(target: str = "app", stage: str = "built", **changes: Any) -> dict[str, Any]:
    ended = datetime.now(UTC)
    return {
        "target": target,
        "stage": stage,
        "result": "ok",
        "started_at": (ended - timedelta(seconds=2)).isoformat(),
        "ended_at": ended.isoformat(),
        "traceparent": TRACE,
    } | changes


async def test_deliveries_are_counted_by_source_and_verdict(hub: httpx.AsyncClient) -> None:
    """With how long each took, and the events they became."""
    await subscribe(hub, SHOP)
    delivery = push(A)
    await post(hub, delivery)
    await post(hub, delivery)
    found = await scraped(hub)
    assert found["deliveries_total", ("github", "main", "matched")] == 1
    assert found["deliveries_total", ("github", "main", "duplicate")] == 1
    assert found["delivery_duration_seconds_count", ("main",)] == 2
    assert 0 < found["delivery_duration_seconds_sum", ("main",)] < 30
    assert (found["events_total", ()], found["log_head_position", ()]) == (1, 1)
    assert found["subscriptions", ("stream", "active")] == 1


async def test_refusals_are_counted_by_code_and_known_source(hub: httpx.AsyncClient) -> None:
    """A name that a stranger made up is no label."""
    for path in ("/webhooks/github/main", "/webhooks/github/made-up"):
        await hub.post(path, content=b"{}")
    found = await scraped(hub)
    assert found["refusals_total", ("bad-signature", "main")] == 1
    assert found["refusals_total", ("unknown-source", "")] == 1
    assert "made-up" not in str(found)


async def test_stages_are_counted_by_target(hub: httpx.AsyncClient) -> None:
    """How long those took that went well."""
    await hub.post("/v1/reports", json=report())
    await hub.post("/v1/reports", json=report(result="failed"))
    await hub.post("/v1/reports", json=report(stage="strange", result="odd"))
    found = await scraped(hub)
    assert found["stages_total", ("ok", "built", "app")] == 1
    assert found["stages_total", ("failed", "built", "app")] == 1
    assert found["stages_total", ("other", "other", "app")] == 1
    assert found["stage_duration_seconds_count", ("built", "app")] == 1
    assert found["stage_duration_seconds_bucket", ("2.5", "built", "app")] == 1
    assert found["stage_duration_seconds_bucket", ("1.0", "built", "app")] == 0


async def test_a_push_that_runs_is_timed_from_its_receipt(hub: httpx.AsyncClient) -> None:
    """What nobody pushed has no such time."""
    await post(hub, push(A))
    number = (await hub.get("/v1/deliveries")).json()["deliveries"][0]["number"]
    [trace_id] = (await hub.get(f"/v1/deliveries/{number}")).json()["trace_ids"]
    ours = f"00-{trace_id}-{'2' * 16}-01"
    await hub.post("/v1/reports", json=report(stage="running", traceparent=ours))
    await hub.post("/v1/reports", json=report(stage="running"))
    assert (await scraped(hub))["push_to_running_seconds_count", ("app",)] == 1


@pytest.mark.parametrize("ended", ["2199-01-01T00:00:00Z", "2001-01-01T00:00:00Z"])
async def test_a_clock_that_is_wrong_spoils_no_sum(hub: httpx.AsyncClient, ended: str) -> None:
    """The stage is counted all the same, without how long it took."""
    await post(hub, push(A))
    [trace_id] = (await hub.get("/v1/deliveries/1")).json()["trace_ids"]
    wrong = {"ended_at": ended, "traceparent": f"00-{trace_id}-{'2' * 16}-01"}
    await hub.post("/v1/reports", json=report(stage="running", **wrong))
    found = await scraped(hub)
    assert found["stages_total", ("ok", "running", "app")] == 1
    for name, labels in (("stage_duration", ("running", "app")), ("push_to_running", ("app",))):
        assert found.get((f"{name}_seconds_sum", labels), 0) == 0
        assert found.get((f"{name}_seconds_count", labels), 0) == 0


async def test_made_up_targets_do_not_fill_the_memory(hub: httpx.AsyncClient) -> None:
    """Those beyond the limit are one."""
    for number in range(TARGETS_MOST + 3):
        await hub.post("/v1/reports", json=report(f"t{number}"))
    found = await scraped(hub)
    targets = {labels[-1] for name, labels in found if name == "stages_total"}
    assert len(targets) == TARGETS_MOST + 1
    assert found["stages_total", ("ok", "built", "other")] == 3
