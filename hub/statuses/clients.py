"""Which clients a target has, and what each runs, from what they have reported."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.log.values import StageReport

SILENT = timedelta(days=1)
"""How long a client may say nothing of a version that is offered, until it is taken to be gone. One
that runs the newest has nothing to say, for weeks perhaps, and is still there."""

FAILURES = frozenset({"failed", "rolled_back", "quarantined"})
_STAGES = frozenset({"downloaded", "running", "stopped"})


@dataclass(frozen=True, slots=True)
class Client:
    """
    A client as it is known.

    Attributes:
        name: its own.
        version: what runs there; None when nothing is known to.
    """

    name: str
    version: str | None


def clients_of(reports: Sequence[StageReport], now: datetime) -> list[Client]:
    """
    The clients that are still there.

    Args:
        reports: all that is known of one target, oldest first.
        now: aware.
    """
    heard = {one.reporter: place for place, one in enumerate(reports) if one.stage in _STAGES}
    here = {name for name, place in heard.items() if not _is_gone(reports[place + 1 :], now)}
    runs: dict[str, str | None] = {}
    for one in reports:
        if (one.stage, one.result) == ("running", "ok"):
            runs[one.reporter] = one.version
    return [Client(name, runs.get(name)) for name in sorted(here)]


def returns_at(reports: Sequence[StageReport]) -> datetime | None:
    """When who is still silent about what is offered will be taken to be gone."""
    offered = [one for one in reports if is_offer(one)]
    return offered[-1].ended_at + SILENT if offered else None


def is_offer(report: StageReport) -> bool:
    """Whether clients are offered a version since then."""
    return (report.stage, report.result) == ("published", "ok") and bool(report.version)


def _is_gone(since: Sequence[StageReport], now: datetime) -> bool:
    unanswered = next((one for one in since if is_offer(one)), None)
    return unanswered is not None and now - unanswered.ended_at > SILENT
