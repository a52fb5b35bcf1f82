"""How every target stands: what runs where, what is newest, how long a push takes."""

import asyncio
from collections.abc import Sequence
from typing import Any

from hub.log.base import Log
from hub.log.values import StageReport
from hub.timelines import timeline, timelines
from hub.tracing import Trace, assembled

MOST_TARGETS = 1_000
LOOKED_AT = 200  # reports of a target: some 25 pushes; there may be a thousand targets
PUSHES_SHOWN = 20  # of a target, in its sparkline
AT_ONCE = 8  # targets asked about together

STAGES = ("notified", "fetched", "built", "published", "downloaded", "stopped", "running")
_FAILURES = frozenset({"failed", "rolled_back", "quarantined"})

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

    `running` has what each client last said, `push_to_running_ms` the pushes that came to run,
    oldest first, `caught_by_poll` how many changes nobody had announced.
    """
    reports = list(dict.fromkeys(await log.reports(target, LOOKED_AT)))
    traces = await assembled(log, target, reports, PUSHES_SHOWN)
    newest = _newest(reports, traces)
    running = _running(reports)
    caught = [one for one in reports if one.is_caught]
    abreast = [one for one in running if newest and one["version"] == newest["version"]]
    return {
        "target": target,
        "newest": newest,
        "running": running,
        "clients": {"running_newest": len(abreast), "all": len(running)},
        "caught_by_poll": len(caught),
        "caught_at": caught[-1].ended_at.isoformat() if caught else None,
        "push_to_running_ms": _delays(traces),
        "last": timeline(traces[-1]) if traces else None,
        "last_failure": _last_failure(reports),
    }


def _newest(reports: Sequence[StageReport], traces: Sequence[Trace]) -> dict[str, Any] | None:
    """The version that was published last, and of which commit."""
    for one in reversed(reports):
        if one.stage == "published" and one.result == "ok" and one.version:
            of_it = [trace for trace in traces if trace.version == one.version]
            commit = timeline(of_it[-1])["commit"] if of_it else None
            at = one.ended_at.isoformat()
            return {"version": one.version, "commit": commit, "at": at}
    return None


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
    """From each push to the first client that ran it, in milliseconds."""
    pushed = [line for line in timelines(traces) if line["delivery"] or line["subject"]]
    firsts = [_first_running(line["stages"]) for line in pushed]
    return [one for one in firsts if one is not None]


def _first_running(stages: Sequence[dict[str, Any]]) -> float | None:
    ended = (s["ended_ms"] for s in stages if (s["stage"], s["result"]) == ("running", "ok"))
    return next(ended, None)


def _last_failure(reports: Sequence[StageReport]) -> dict[str, Any] | None:
    """The newest failure that nothing has mended since."""
    furthest = -1  # of what went well later
    for one in reversed(reports):
        place = STAGES.index(one.stage) if one.stage in STAGES else -1
        if one.result in _FAILURES:
            return _failure(one) if place > furthest else None
        if one.result in {"ok", "unchanged"}:
            furthest = max(furthest, place)
    return None


def _failure(report: StageReport) -> dict[str, Any]:
    return {
        "stage": report.stage,
        "result": report.result,
        "message": report.message,
        "version": report.version,
        "reporter": report.reporter,
        "trace_id": report.trace_id,
        "at": report.ended_at.isoformat(),
    }
