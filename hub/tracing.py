"""
From push to running: the stages of each push, in order, with milliseconds.

The hub contributes `received`; everything later is what servers and clients reported, held
together by the trace id that travelled with the notification.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from hub.log.values import StageReport, Trace

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def trace_id_of(traceparent: str) -> str | None:
    """
    The 32 hex digits that name a trace, or None when this is no traceparent.

    Format: https://www.w3.org/TR/trace-context/#traceparent-header-field-values
    """
    match = _TRACEPARENT.fullmatch(traceparent)
    return None if match is None else match[1]


def timelines(traces: Sequence[Trace]) -> list[dict[str, Any]]:
    """
    Each push as a list of stages, each with its distance from the push in milliseconds.

    What was found without a push (at start, by poll) has a timeline of its own, unless a push
    announced the same version: then it is part of that push's.
    """
    announced = {_version(trace) for trace in traces if trace.received_at}
    return [
        _timeline(trace)
        for trace in traces
        if trace.received_at or _version(trace) not in announced
    ]


def _timeline(trace: Trace) -> dict[str, Any]:
    start = trace.received_at or min(report.started_at for report in trace.reports)
    done = {report.stage for report in trace.reports if report.result != "unchanged"}
    stages = [
        _stage(report, start)
        for report in trace.reports
        if report.result != "unchanged" or report.stage not in done
    ]
    if trace.received_at is not None:
        stages.insert(0, _received(trace.received_at))
    stages.sort(key=lambda stage: stage["ended_ms"])
    return {
        "trace_id": trace.trace_id,
        "subject": trace.subject,
        "commit": trace.commit,
        "version": _version(trace),
        "started_at": start.isoformat(),
        "stages": stages,
    }


def _version(trace: Trace) -> str | None:
    return next((report.version for report in reversed(trace.reports) if report.version), None)


def _received(at: datetime) -> dict[str, Any]:
    return {"stage": "received", "result": "ok", "started_ms": 0.0, "ended_ms": 0.0,
            "at": at.isoformat(), "reporter": "hub", "message": ""}  # fmt: skip


def _stage(report: StageReport, start: datetime) -> dict[str, Any]:
    return {
        "stage": report.stage,
        "result": report.result,
        "started_ms": _milliseconds(start, report.started_at),
        "ended_ms": _milliseconds(start, report.ended_at),
        "at": report.ended_at.isoformat(),
        "reporter": report.reporter,
        "message": report.message,
    }


def _milliseconds(start: datetime, end: datetime) -> float:
    return round((end - start).total_seconds() * 1000, 1)
