"""`POST /v1/reports`: what is stored is answered so, whatever follows, and is found again."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from hub.app import create_app
from tests.support.forgetful import ForgetfulLog
from tests.support.hubs import client_of, serving_hub, settings


def report(**changes: object) -> dict[str, object]:
    """The new version runs since now."""
    now = datetime.now(UTC).isoformat()
    return {
        "target": "shop",
        "stage": "running",
        "result": "ok",
        "started_at": now,
        "ended_at": now,
        "traceparent": f"00-{'a' * 32}-{'1' * 16}-01",
    } | changes


async def test_a_stored_report_is_taken_though_it_cannot_be_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Told otherwise its sender would send it again; one line says what is missing."""
    caplog.set_level(logging.WARNING)
    log = ForgetfulLog(tmp_path / "log")
    app = create_app(settings(tmp_path), log=log)
    async with app.router.lifespan_context(app), client_of(app) as hub:
        answer = await hub.post("/v1/reports", json=report())
        assert (answer.status_code, answer.json()) == (202, {"trace_id": "a" * 32})
        assert [one.stage for one in await log.reports("shop", 10)] == ["running"]
    [said] = [one for one in caplog.records if "report is stored" in one.getMessage()]
    assert (getattr(said, "missing", ""), getattr(said, "reason", "")) == ("count", "away")


@pytest.mark.parametrize("target", ["shop", "team/app", "a//b", "a/timeline"])
async def test_a_timeline_is_found_by_any_name_of_a_target(tmp_path: Path, target: str) -> None:
    """Its slashes as they are, or quoted: what stands between decodes them anyway."""
    async with (
        serving_hub(settings(tmp_path)) as (url, *_),
        httpx.AsyncClient(base_url=f"{url}/v1/targets") as hub,
    ):
        await hub.post(f"{url}/v1/reports", json=report(target=target))
        for name in (quote(target, safe=""), target):
            found = (await hub.get(f"/{name}/timeline")).json()
            assert (found["target"], len(found["traces"])) == (target, 1)
