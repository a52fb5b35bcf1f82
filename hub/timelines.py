"""One push as a line of stages, from its delivery to the running program, with milliseconds."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from hub.log.values import Origin, StageReport
from hub.remedies import next_step
from hub.settings import RECONCILED
from hub.tracing import Trace

Timeline = dict[str, Any]

MISSED = "no delivery told of it: the hub found it at the forge"
MOST_SAID = 1_000  # characters of a message; many pushes may have the same

# By the last stage and result that say more than "so far, so good".
_STATES = {
    ("running", "ok"): "running",
    ("running", "rolled_back"): "rolled back",
    ("running", "quarantined"): "quarantined",
    ("running", "failed"): "failed",
    ("fetched", "skipped"): "skipped",
    ("published", "ok"): "built",
    ("published", "unchanged"): "built",
}


def timelines(traces: Sequence[Trace]) -> list[Timeline]:
    """Each trace as a line; see `timeline`."""
    return [timeline(trace) for trace in traces]


def timeline(trace: Trace) -> Timeline:
    """
    A trace as plain values.

    Milliseconds count from the delivery, or from the first stage when there was none; `total_ms` is
    where the last stage ends. `state` is one of running, built, failed, rolled back, quarantined,
    skipped, unchanged, under way, or unheard: nobody has reported about it. `next` is what to do.
    """
    reports = _told(trace.reports)
    start = min([*(one.started_at for one in reports), *_received(trace.origin)])
    stages = _stages_of_hub(trace.origin, start)
    stages += [_stage(one, start) for one in reports]
    state = _state(trace.reports)
    stages.sort(key=lambda stage: (stage["ended_ms"], stage["started_ms"]))
    return {
        "trace_id": trace.trace_id,
        "target": trace.target or None,
        "subject": trace.origin.subject if trace.origin else None,
        "repository": trace.origin.repository if trace.origin else _built_from(trace.reports),
        "ref": trace.origin.ref if trace.origin else None,
        "commit": _commit(trace),
        "version": trace.version,
        "delivery": trace.origin.delivery if trace.origin else None,
        "started_at": start.isoformat(),
        "is_caught": any(one.is_caught for one in trace.reports),
        "is_missed": _is_missed(trace.origin),
        "state": state,
        "next": next_step(trace, state),
        "total_ms": max(stage["ended_ms"] for stage in stages),
        "stages": stages,
    }


def _told(reports: Sequence[StageReport]) -> list[StageReport]:
    """Without those that found a stage done that another one did."""
    done = {one.stage for one in reports if one.result != "unchanged"}
    return [one for one in reports if one.result != "unchanged" or one.stage not in done]


def _state(reports: Sequence[StageReport]) -> str:
    if not reports:
        return "unheard"
    ordered = sorted(reports, key=lambda one: one.ended_at)
    for one in reversed(ordered):
        if one.result == "failed":
            return "failed"
        if state := _STATES.get((one.stage, one.result)):
            return state
    looked = [one for one in ordered if one.stage == "built"]
    return "unchanged" if looked and looked[-1].result == "unchanged" else "under way"


def _received(origin: Origin | None) -> list[datetime]:
    return [origin.received_at] if origin else []


def _stages_of_hub(origin: Origin | None, start: datetime) -> list[dict[str, Any]]:
    if origin is None:
        return []
    received = origin.received_at
    found = [_document("received", (received, received), start)]
    if _is_missed(origin):
        found[0]["message"] = MISSED
    if origin.stored_at:
        # What waited on a hub's own disk, or was taken over later, was stored later.
        stored = max(origin.stored_at, received)
        found.append(_document("stored", (received, stored), start))
    return found


def _is_missed(origin: Origin | None) -> bool:
    return bool(origin and origin.endpoint.endswith(f"/{RECONCILED}"))


def _stage(report: StageReport, start: datetime) -> dict[str, Any]:
    document = _document(report.stage, (report.started_at, report.ended_at), start)
    said = {
        "result": report.result,
        "reporter": report.reporter,
        "message": report.message[:MOST_SAID],
    }
    return document | said


def _document(stage: str, times: tuple[datetime, datetime], start: datetime) -> dict[str, Any]:
    return {
        "stage": stage,
        "result": "ok",
        "started_ms": _milliseconds(start, times[0]),
        "ended_ms": _milliseconds(start, times[1]),
        "at": times[1].isoformat(),
        "reporter": "hub",
        "message": "",
    }


def _built_from(reports: Sequence[StageReport]) -> str | None:
    """Names of the repositories that a look found changed."""
    return ", ".join(dict(_commits(reports))) or None


def _commit(trace: Trace) -> str | None:
    if trace.origin and trace.origin.commit:
        return trace.origin.commit
    # Nobody has said one: a poll found it, or `directcd notify` named the repository alone.
    return next(iter(dict(_commits(trace.reports)).values()), None)


def _commits(reports: Sequence[StageReport]) -> list[tuple[str, str]]:
    return [pair for one in reports for pair in one.commits]


def _milliseconds(start: datetime, end: datetime) -> float:
    return round((end - start).total_seconds() * 1000, 1)
