"""What a person should look at first: a sentence of cause each, and where its next step stands."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from hub.dashboard.ansi import colourless
from hub.dashboard.text import branch, visible
from hub.log.refused import Refusal
from hub.log.values import SecretUse
from hub.standing import Standing

LATELY = timedelta(days=1)
MOST_OF_A_KIND = 5


@dataclass(frozen=True, slots=True)
class Item:
    """
    One thing to look at.

    Attributes:
        kind: `bad` when something does not work, `warn` when something was missed.
        cause: one sentence.
        link: the page that has the next step.
    """

    kind: str
    cause: str
    link: str


def of_log(trouble: str) -> Iterator[Item]:
    """A log that cannot be reached, or is degraded."""
    if trouble:
        yield Item("bad", f"The hub's log is not well: {visible(trouble)}", "/health")


def of_refusals(
    refusals: Iterable[Refusal], uses: Sequence[SecretUse], now: datetime
) -> Iterator[Item]:
    """Deliveries refused lately, unless one of the same source was accepted since."""
    accepted: dict[str, datetime] = {}
    for use in uses:
        accepted[use.source] = max(use.last_used_at, accepted.get(use.source, use.last_used_at))
    shown = 0
    for one in refusals:
        is_mended = one.source in accepted and accepted[one.source] > one.last_at
        if one.last_at < now - LATELY or is_mended or shown >= MOST_OF_A_KIND:
            continue
        shown += 1
        times = f"{one.count} times " if one.count > 1 else ""
        cause = f"A delivery to {one.path} was {times}refused: {one.detail}"
        yield Item("bad", visible(cause), f"/refusals/{one.number}")


def of_unmatched(deliveries: Iterable[Mapping[str, Any]], now: datetime) -> Iterator[Item]:
    """Pushes of late that nobody wanted: the newest of each ref, unless it was wanted since."""
    seen: set[tuple[str, str]] = set()
    shown = 0
    for one in deliveries:
        what = (one["repository"], one["ref"])
        is_old = datetime.fromisoformat(one["received_at"]) < now - LATELY
        if what in seen or is_old or shown >= MOST_OF_A_KIND:
            continue
        seen.add(what)
        if one["verdict"] == "no-match":
            shown += 1
            cause = f"Nobody wants pushes of {one['repository']} {branch(one['ref'])}{_near(one)}"
            yield Item("warn", visible(cause), f"/deliveries/{one['number']}")


def _near(delivery: Mapping[str, Any]) -> str:
    nearest = delivery["explanation"].get("nearest") or ()
    if not nearest:
        return ""
    near = nearest[0]
    return f": {near['subscription']} wants {near['failed']} {near['wanted']}, not {near['got']}"


def of_targets(standings: Iterable[Standing], *, may_read: bool) -> Iterator[Item]:
    """
    Targets whose last pass or swap failed, and changes that only a poll has found.

    Args:
        standings: how they stand.
        may_read: whether what a build has said may be shown.
    """
    for one in standings:
        link = f"/targets/{quote(one['target'], safe='')}"
        if failure := one["last_failure"]:
            said = _first_line(failure["message"]) if may_read else "sign in to see why"
            yield Item("bad", visible(f"{one['target']}: {one['state']}: {said}"), link)
        if one["caught_hint"]:
            cause = f"{one['target']}: a change was found by poll only: {one['caught_hint']}"
            yield Item("warn", visible(cause), link)


def _first_line(message: str) -> str:
    first = next(iter(colourless(message).strip().splitlines()), "no reason was given")
    return first.partition("; the whole log: ")[0][:300]
