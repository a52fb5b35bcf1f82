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
from hub.recovery.remembered import Remembered
from hub.rules import Subscription
from hub.servers import ServerState
from hub.settings import RECONCILED
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
    """
    Deliveries refused lately.

    One whose signature was wrong is less urgent when its source has taken others since: it may have
    been another webhook's, or be mended.
    """
    accepted: dict[str, datetime] = {}
    for use in uses:
        accepted[use.source] = max(use.last_used_at, accepted.get(use.source, use.last_used_at))
    items = [
        _refused(one, accepted.get(one.source)) for one in refusals if now - one.last_at < LATELY
    ]
    yield from sorted(items, key=lambda item: item.kind != "bad")[:MOST_OF_A_KIND]


def _refused(refusal: Refusal, accepted_at: datetime | None) -> Item:
    is_mended = may_be_mended(refusal.code, refusal.last_at, accepted_at)
    times = f"{refusal.count} times " if refusal.count > 1 else ""
    since = "; others were accepted since" if is_mended else ""
    detail = refusal.detail.removesuffix(".")
    sender = f" of {sent_by}" if (sent_by := refusal.hints.get("sent_by")) else ""
    cause = f"A delivery{sender} to {refusal.path} was {times}refused: {detail}{since}"
    return Item("warn" if is_mended else "bad", visible(cause), f"/refusals/{refusal.number}")


def may_be_mended(code: str, last_at: datetime, accepted_at: datetime | None) -> bool:
    """
    Whether a refusal is less urgent: for its signature alone, and others were accepted since.

    Args:
        code: of the refusal.
        last_at: when it was last refused.
        accepted_at: when its source last took one, if it ever did.
    """
    return code == "bad-signature" and accepted_at is not None and accepted_at > last_at


def of_unmatched(deliveries: Iterable[Mapping[str, Any]], now: datetime) -> Iterator[Item]:
    """
    Pushes of late that nobody wanted, unless one of the same ref was wanted since.

    Of a repository that is followed by other refs, the newest alone: it has more branches.
    """
    seen: set[tuple[str, str]] = set()
    items: dict[tuple[str, str], Item] = {}
    for one in deliveries:
        what = (one["repository"], one["ref"])
        is_old = now - datetime.fromisoformat(one["received_at"]) >= LATELY
        if is_old or what in seen:
            continue
        seen.add(what)
        if one["verdict"] == "no-match" and (one["explanation"].get("event") or {}).get("after"):
            is_known = _failed(one) == "ref"
            items.setdefault((one["repository"], "" if is_known else one["ref"]), _unmatched(one))
    yield from list(items.values())[:MOST_OF_A_KIND]


def _unmatched(delivery: Mapping[str, Any]) -> Item:
    what = f"{delivery['repository']} {branch(delivery['ref'])}"
    cause = f"Nobody wants pushes of {what}{_near(delivery)}"
    return Item("warn", visible(cause), f"/deliveries/{delivery['number']}")


def _failed(delivery: Mapping[str, Any]) -> str:
    return next((str(near["failed"]) for near in delivery["explanation"].get("nearest") or ()), "")


def _near(delivery: Mapping[str, Any]) -> str:
    for near in delivery["explanation"].get("nearest") or ():
        name, failed = near["subscription"], near["failed"]
        if failed == "lease":
            return f": the lease of {name} {near['got']}"
        if failed == "paused":
            return f": {name} is paused"
        return f": {name} wants {failed} {near['wanted']}, not {near['got']}"
    return ""


def of_missed(deliveries: Iterable[Mapping[str, Any]], now: datetime) -> Iterator[Item]:
    """Pushes of late that the hub has found itself, those of one repository as one."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in deliveries:
        is_late = now - datetime.fromisoformat(one["received_at"]) < LATELY
        if is_late and one["source"] == RECONCILED:
            found.setdefault(one["repository"], []).append(one)
    for repository, missed in list(found.items())[:MOST_OF_A_KIND]:
        number = f"{len(missed)} pushes" if len(missed) > 1 else "a push"
        cause = f"No delivery told of {number} of {repository}: the hub found it at the forge"
        yield Item("warn", visible(cause), f"/deliveries/{missed[0]['number']}")


def of_forges(looks: Mapping[str, Remembered]) -> Iterator[Item]:
    """Forges that could not be asked what was missed."""
    for source, one in looks.items():
        if one.troubles:
            cause = f"The forge of source {source} does not tell what was missed: {one.troubles[0]}"
            yield Item("warn", visible(cause), f"/setup#source-{quote(source)}")


def of_subscribers(subscriptions: Iterable[Subscription], now: datetime) -> Iterator[Item]:
    """Who has not been heard of since the lease ended, and is told nothing."""
    for one in subscriptions:
        if now - LATELY < one.expires_at <= now:
            since = one.expires_at.isoformat(" ", "seconds").replace("+00:00", " UTC")
            cause = f"{one.name} is told nothing: it has not renewed its lease, which ended {since}"
            yield Item("bad", visible(cause), "/subscribers")


def of_servers(states: Iterable[ServerState]) -> Iterator[Item]:
    """Servers that do not answer, or are not well."""
    for one in states:
        if one.state != "ready":
            cause = f"The server {one.name} is {one.state}: {one.reason}"
            yield Item("bad" if one.state == "away" else "warn", visible(cause), "/health")


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
            said = first_line(failure["message"]) if may_read else "sign in to see why"
            yield Item("bad", visible(f"{one['target']}: {one['state']}: {said}"), link)
        if one["caught_hint"]:
            cause = f"{one['target']}: a change was found by poll only: {one['caught_hint']}"
            yield Item("warn", visible(cause), link)


def first_line(message: str) -> str:
    """What a message that may be a build's output says first."""
    first = next(iter(colourless(message).strip().splitlines()), "no reason was given")
    return first.partition("; the whole log: ")[0][:300]
