"""
The traces of a target: each look or push, with the stages that were reported for it.

A trace id travels with the notification through server and client; their reports carry it.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from hub.log.base import Log
from hub.log.values import Origin, StageReport

LOOKED_AT = 1_000  # reports of a target: some 150 pushes
MOST_STAGES = 200  # of one push: those of some 60 clients
SOONER = timedelta(seconds=10)
"""How long before a push a poll may have met its commit. What is older was for something else, also
if it came to the same version: a branch that went back."""

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Trace:
    """
    What is known of one push or look at one target.

    Attributes:
        trace_id: 32 hex digits.
        target: whose; "" when nobody has reported anything.
        origin: the push it began with; None when it was a look of the server's own.
        reports: those of this trace, and those of any other about the same version: the look that
            built it may have been another push's, or nobody's.
    """

    trace_id: str
    target: str
    origin: Origin | None
    reports: tuple[StageReport, ...] = ()

    @property
    def version(self) -> str | None:
        """The version that was last spoken of."""
        return next((one.version for one in reversed(self.reports) if one.version), None)


def trace_id_of(traceparent: str) -> str | None:
    """
    The 32 hex digits that name a trace, or None when this is no traceparent.

    Format: https://www.w3.org/TR/trace-context/#traceparent-header-field-values
    """
    match = _TRACEPARENT.fullmatch(traceparent)
    return None if match is None else match[1]


async def traces(log: Log, target: str, limit: int) -> list[Trace]:
    """
    The newest traces of a target, oldest first.

    What was found without a push (at start, by poll) has one of its own, unless a push announced
    the same version about then: it is part of that push's.
    """
    reports = await log.reports(target, LOOKED_AT)
    # A report comes twice when its first answer was lost.
    return await assembled(log, target, list(dict.fromkeys(reports)), limit)


async def assembled(
    log: Log,
    target: str,
    reports: Sequence[StageReport],
    limit: int,
    only: Collection[str] | None = None,
) -> list[Trace]:
    """
    The newest traces in the reports of a target, oldest first.

    Args:
        log: has the pushes they began with.
        target: whose reports these are.
        reports: oldest first.
        limit: how many.
        only: those of these ids. Default: all.
    """
    every = list(dict.fromkeys(one.trace_id for one in reports))
    # Twice as many: some will turn out to be parts of others.
    ids = [one for one in every if only is None or one in only][-2 * limit :]
    origins = await log.origins(every)
    found = [
        Trace(one, target, origins.get(one), _reports_of(one, reports, origins)) for one in ids
    ]
    parts = {report.trace_id for trace in found if trace.origin for report in trace.reports}
    own = [trace for trace in found if trace.origin or trace.trace_id not in parts]
    return own[-limit:]


def overheard(
    trace_id: str, origin: Origin, target: str, reports: Sequence[StageReport]
) -> list[Trace]:
    """
    The trace of a push that reached nobody, if a look since has come to its commit all the same.

    Args:
        trace_id: of the push.
        origin: the push.
        target: whose reports these are.
        reports: oldest first.
    """
    since = [one for one in reports if one.ended_at >= origin.received_at]
    found = _reports_of(trace_id, since, {trace_id: origin})
    return [Trace(trace_id, target, origin, found)] if found else []


def _reports_of(
    trace_id: str, reports: Sequence[StageReport], origins: Mapping[str, Origin]
) -> tuple[StageReport, ...]:
    own = [one for one in reports if one.trace_id == trace_id]
    origin = origins.get(trace_id)
    versions = {one.version for one in own if one.version}
    if origin and not versions:
        # It came to none, as what it announced could not be fetched: who came to that later did it.
        met = {one.trace_id for one in reports if _has_met(one, origin.commit)}
        versions = {one.version for one in reports if one.version and one.trace_id in met}
    same = {one.trace_id for one in reports if one.version in versions} - {trace_id}
    received = [origin.received_at] if origin else []
    began = min([*(one.started_at for one in own), *received])
    # What another push has set off may have served this one, but not before this one came.
    since = {one: began if one in origins else began - SOONER for one in same}
    found = [
        one
        for one in reports
        if one.trace_id == trace_id
        or (one.trace_id in same and one.ended_at >= since[one.trace_id] and _is_done(one))
    ]
    return tuple(found[-MOST_STAGES:])


def _has_met(report: StageReport, commit: str | None) -> bool:
    return any(one == commit for _, one in report.commits)


def _is_done(report: StageReport) -> bool:
    """Whether another trace's report counts: what was done for the same version."""
    return report.stage != "notified" and report.result not in {"unchanged", "skipped"}
