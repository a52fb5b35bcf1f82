"""`POST /v1/reports`: what is stored is answered so, whatever follows."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.app import create_app
from tests.support.forgetful import ForgetfulLog
from tests.support.hubs import client_of, settings


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
