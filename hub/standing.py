"""How every target stands: what runs where, what is newest, how long a push takes."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hub.lasting import seconds_between
from hub.log.base import Log
from hub.log.values import StageReport
from hub.remedies import remedy
from hub.timelines import timeline, timelines
from hub.tracing import Trace, assembled

MOST_TARGETS = 1_000
LOOKED_AT = 200  # reports of a target: some 25 pushes; there may be a thousand targets
PUSHES_SHOWN = 20  # of a target, in its sparkline
AT_ONCE = 8  # targets asked about together

STAGES = ("notified", "fetched", "built", "published", "downloaded", "stopped", "running")
_FAILURES = frozenset({"failed", "rolled_back", "quarantined"})
_SILENT = frozenset({"unchanged", "skipped"})
_DOING = {
    "fetched": "fetching",
    "built": "building",
    "published": "publishing",
    "downloaded": "downloading",
    "running": "starting",
}

Standing = dict[str, Any]


async def standings(log: Log) -> list[Standing]:
    """Every target that was reported about, the latest first; see `standing`."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(target: str) -> Standing:
        async with turn:
            return await standing(log, target)

    return list(await asyncio.gather(*map(one, await log.targets(MOST_TARGETS))))


async def standing(log: Log, target: str) -> Standing:
    """
    How one target stands, as plain values, as far as its newest reports tell.

    `state` is what went wrong, or how the newest push stands; `running` has what each client last
    said, `push_to_running_ms` the pushes that came to run, oldest first, `caught_by_poll` how many
    changes nobody had announced, `caught_in` and `caught_commits` what the last of them was.
    """
    reports = list(dict.fromkeys(await log.reports(target, LOOKED_AT)))
    traces = await assembled(log, target, reports, PUSHES_SHOWN)
    newest, failure = _newest(reports, traces), _last_failure(reports)
    running = _running(reports)
    caught = [one for one in reports if one.is_caught]
    abreast = [one for one in running if newest and one["version"] == newest["version"]]
    return {
        "target": target,
        "state": _state(traces, failure),
        "newest": newest,
        "running": running,
        "clients": {"running_newest": len(abreast), "all": len(running)},
        "caught_by_poll": len(caught),
        "caught_at": caught[-1].ended_at.isoformat() if caught else None,
        "caught_commits": [commit for one in caught[-1:] for _, commit in one.commits],
        "caught_in": [name for one in caught[-1:] for name, _ in one.commits],
        "repositories": sorted({trace.origin.repository for trace in traces if trace.origin}),
        "push_to_running_ms": _delays(traces),
        "last": timeline(traces[-1]) if traces else None,
        "last_failure": failure,
    }


def _newest(reports: Sequence[StageReport], traces: Sequence[Trace]) -> dict[str, Any] | None:
    """The version that was published last, and the commit of the push or look that made it."""
    for one in reversed(reports):
        if one.stage == "published" and one.result == "ok" and one.version:
            made = [trace for trace in traces if one in trace.reports]
            commit = timeline(made[0])["commit"] if made else None
            at = one.ended_at.isoformat()
            return {"version": one.version, "commit": commit, "at": at}
    return None


def _state(traces: Sequence[Trace], failure: dict[str, Any] | None) -> str:
    """In a word or two; a look that changed nothing changes nothing of it."""
    if failure:
        return failed_at(failure)
    states = [str(line["state"]) for line in timelines(traces)]
    telling = [state for state in states if state not in _SILENT]
    return (telling or states or ["unknown"])[-1]


def failed_at(failure: Mapping[str, Any]) -> str:
    """What went wrong, as people say it."""
    what = _DOING.get(failure["stage"], failure["stage"])
    result = str(failure["result"]).replace("_", " ")
    return f"{what} failed" if result == "failed" else result


def _running(reports: Sequence[StageReport]) -> list[dict[str, Any]]:
    """What each client runs, by its name."""
    clients: dict[str, dict[str, Any]] = {}
    for one in reports:
        if one.stage == "running" and (one.result == "ok" or one.result in _FAILURES):
            clients[one.reporter] = _client(one, clients.get(one.reporter))
    return [clients[name] for name in sorted(clients)]


def _client(report: StageReport, before: dict[str, Any] | None) -> dict[str, Any]:
    if report.result == "ok":
        since = report.ended_at.isoformat()
        told = {"version": report.version, "since": since, "state": "running", "message": ""}
        return {"client": report.reporter, **told}
    # A version that was sick does not run: what ran before does.
    stays = before or {"client": report.reporter, "version": None, "since": None}
    state = report.result.replace("_", " ")
    return stays | {"state": state, "message": report.message}


def _delays(traces: Sequence[Trace]) -> list[float]:
    """From each push's receipt to the first client that ran it, in milliseconds, where believed."""
    delays = [_delay(trace, trace.origin.received_at) for trace in traces if trace.origin]
    return [one for one in delays if one is not None]


def _delay(trace: Trace, received_at: datetime) -> float | None:
    ran = [one for one in trace.reports if (one.stage, one.result) == ("running", "ok")]
    took = [seconds_between(received_at, one.ended_at) for one in ran]
    return min((round(one * 1000, 1) for one in took if one is not None), default=None)


def _last_failure(reports: Sequence[StageReport]) -> dict[str, Any] | None:
    """The newest failure that nothing has mended since."""
    for place in range(len(reports) - 1, -1, -1):
        if reports[place].result in _FAILURES:
            before, later = reports[:place], reports[place + 1 :]
            is_mended = any(_mends(one, reports[place], before) for one in later)
            return None if is_mended else _failure(reports[place])
    return None


def _mends(later: StageReport, failed: StageReport, before: Sequence[StageReport]) -> bool:
    """Whether the one who failed has come as far since, or further."""
    if later.reporter != failed.reporter or later.result not in {"ok", "unchanged"}:
        return False
    if failed.stage == "running":
        # What ran before running again is no success of what did not.
        ran = {one.version for one in before if (one.stage, one.result) == ("running", "ok")}
        return later.stage == "running" and later.version not in ran
    return _place(later) >= _place(failed)


def _place(report: StageReport) -> int:
    return STAGES.index(report.stage) if report.stage in STAGES else -1


def _failure(report: StageReport) -> dict[str, Any]:
    return {
        "stage": report.stage,
        "result": report.result,
        "message": report.message,
        "next": remedy(report),
        "version": report.version,
        "reporter": report.reporter,
        "trace_id": report.trace_id,
        "at": report.ended_at.isoformat(),
    }
