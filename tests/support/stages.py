"""Reports of stages, as a pull's witness gets them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cd4sources.reporting import Stage, StageReport

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COMMIT = "1a2b3c4d5e6f" + "0" * 28
VERSION = "v-0123456789ab"
OTHER = "v-ba9876543210"


def report(stage: Stage, **more: Any) -> StageReport:
    """One that took 80 ms and went well, but for what is said otherwise."""
    values: dict[str, Any] = {
        "target": "shop",
        "version": None if stage in {"notified", "fetched"} else VERSION,
        "result": "ok",
        "started_at": BEGAN,
        "ended_at": BEGAN + timedelta(milliseconds=80),
        "traceparent": None,
    }
    return StageReport(stage=stage, **values | more)


def fetched(reason: str = "poll", commit: str = COMMIT) -> StageReport:
    """A fetch that found a commit, of which only a poll has told."""
    caught = reason == "poll"
    return report("fetched", reason=reason, commits=(("shop", commit),), is_caught=caught)


def failed(stage: Stage, message: str, **more: Any) -> StageReport:
    """One that failed."""
    return report(stage, **{"result": "failed", "message": message} | more)
