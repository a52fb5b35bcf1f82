"""What became of something a person has in hand: a commit, a delivery, a version, a trace."""

import re
from collections.abc import Callable, Collection

from hub.log.base import Log
from hub.log.delivered import Document, Wanted
from hub.log.values import StageReport
from hub.timelines import Timeline, timelines
from hub.tracing import LOOKED_AT, Trace, assembled, overheard

MOST_FOUND = 20
MOST_DELIVERIES = 10
MOST_REPORTS = 20_000  # that are looked through: those of the targets reported about last
LEAST_CHARACTERS = 7  # of the beginning of a commit, as git abbreviates it
MOST_TARGETS = 1_000

_NUMBER = re.compile(r"[0-9]{1,18}")  # what a log can count to
_TRACE = re.compile(r"\A[0-9a-f]{32}\Z")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


async def find(log: Log, needle: str) -> list[Timeline]:
    """
    The timelines that something belongs to, oldest first.

    Args:
        log: the hub's.
        needle: a commit or its first 7 digits at least, a delivery's id or number, a version, or a
            trace id.
    """
    pushed = await _trace_ids(log, needle) | set(_TRACE.findall(needle))
    return await _found(log, lambda one: one.trace_id in pushed or _is_about(one, needle), pushed)


async def of_traces(log: Log, trace_ids: Collection[str]) -> list[Timeline]:
    """The timelines of traces, oldest first, also of those that nobody has reported about."""
    return await _found(log, lambda one: one.trace_id in trace_ids, trace_ids)


async def _found(
    log: Log, is_wanted: Callable[[StageReport], bool], pushed: Collection[str]
) -> list[Timeline]:
    found: list[Trace] = []
    origins = await log.origins(sorted(pushed))
    left = MOST_REPORTS
    for target in await log.targets(MOST_TARGETS):
        reports = await log.reports(target, min(LOOKED_AT, left))
        left -= len(reports)
        ids = {one.trace_id for one in reports if is_wanted(one)}
        if ids:
            found += await assembled(log, target, reports, MOST_FOUND, ids)
        met = {commit for one in reports for _, commit in one.commits}
        for trace_id, origin in origins.items():
            if trace_id not in ids and origin.commit in met:
                found += overheard(trace_id, origin, target, reports)
        if left <= 0:
            break
    known = {trace.trace_id for trace in found}
    found += [Trace(one, "", origin) for one, origin in origins.items() if one not in known]
    parts = {report.trace_id for trace in found if trace.origin for report in trace.reports}
    whole = [trace for trace in found if trace.origin or trace.trace_id not in parts]
    told = sorted(timelines(whole), key=lambda line: str(line["started_at"]))
    return told[-MOST_FOUND:]


async def _trace_ids(log: Log, needle: str) -> set[str]:
    """The traces of the deliveries that a needle names."""
    number = int(needle) if _NUMBER.fullmatch(needle) else 0
    if number and (one := await log.delivery(number)):
        return set(one["trace_ids"])
    found = await log.deliveries(MOST_DELIVERIES, None, Wanted(q=needle))
    numbers = [one["number"] for one in found if _names(one, needle)]
    wholes = [await log.delivery(number) for number in numbers]
    return {trace_id for one in wholes if one for trace_id in one["trace_ids"]}


def _names(delivery: Document, needle: str) -> bool:
    """Not by a part of a word, but for the beginning of a commit that a ref was moved to."""
    if delivery["delivery_id"] == needle:
        return True
    after = [str(one["after"]) for one in delivery["explanation"].get("changes", ())]
    return bool(_COMMIT.fullmatch(needle)) and any(one.startswith(needle) for one in after)


def _is_about(report: StageReport, needle: str) -> bool:
    if needle in {report.version, report.trace_id}:
        return True
    is_commit = bool(_COMMIT.fullmatch(needle))
    return is_commit and any(commit.startswith(needle) for _, commit in report.commits)
