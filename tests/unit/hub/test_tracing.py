"""Timelines: one push, its stages, and what another look did for it."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.log.values import StageReport, Trace
from hub.tracing import timelines, trace_id_of

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def report(stage: str, seconds: float, result: str = "ok") -> StageReport:
    """A stage of version v-1 that took no time."""
    at = NOW + timedelta(seconds=seconds)
    return StageReport("shop", stage, result, at, at, "0" * 32, version="v-1")


def trace(*reports: StageReport, pushed: bool = True) -> Trace:
    """A trace with or without a push behind it."""
    return Trace("0" * 32, "s", "c", NOW if pushed else None, reports)


def test_stages_stand_in_order_with_their_distance_from_the_push() -> None:
    """Received is nought; reports may arrive in any order."""
    [line] = timelines([trace(report("built", 2), report("fetched", 1))])
    assert [(s["stage"], s["ended_ms"]) for s in line["stages"]] == [
        ("received", 0.0),
        ("fetched", 1000.0),
        ("built", 2000.0),
    ]


def test_an_unchanged_stage_gives_way_to_the_one_that_did_the_work() -> None:
    """A look that met the commit first has built it; the push's own look found it built."""
    [line] = timelines([trace(report("built", 1, "unchanged"), report("built", 0.5))])
    assert [s["result"] for s in line["stages"]] == ["ok", "ok"]


def test_a_look_without_push_is_told_only_if_no_push_announced_its_version() -> None:
    """One change is one line."""
    unasked = trace(report("built", 1), pushed=False)
    assert len(timelines([unasked])) == 1
    assert len(timelines([unasked, trace(report("built", 1))])) == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"00-{'a' * 32}-{'b' * 16}-01", "a" * 32),
        (f"00-{'A' * 32}-{'b' * 16}-01", None),
        ("", None),
    ],
)
def test_a_trace_is_named_by_its_traceparent(text: str, found: str | None) -> None:
    """Lower-case hex in four fields, or nothing."""
    assert trace_id_of(text) == found
