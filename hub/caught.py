"""Why a change was found by a poll and not announced: the likeliest cause the hub knows of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.log.base import Log
from hub.log.delivered import Document
from hub.log.refused import Refusal
from hub.recovery.away import Absence, absences_of
from hub.standing import Standing

SHORTLY = timedelta(minutes=10)  # before a poll: as long as most intervals are
LOOKED_AT = 500  # deliveries, newest first
REFUSALS_LOOKED_AT = 50
DOUBTED = frozenset({401, 403, 415})  # statuses of what the right forge may have sent wrongly


@dataclass(frozen=True)
class Known:
    """
    What may explain it, read once for all targets.

    Attributes:
        deliveries: accepted ones, newest first.
        refusals: newest first.
        absences: when no hub was there.
    """

    deliveries: Sequence[Document]
    refusals: Sequence[Refusal]
    absences: Sequence[Absence] = ()


async def known_of(log: Log) -> Known:
    """What a log has. Raises LogUnavailable."""
    deliveries = await log.deliveries(LOOKED_AT, None)
    refusals = await log.refusals(REFUSALS_LOOKED_AT, None)
    return Known(deliveries, refusals, await absences_of(log))


def caught_hint(standing: Standing, known: Known) -> str:
    """
    The likeliest cause of what only a poll has found, with what to do.

    Args:
        standing: of the target.
        known: what may explain it.

    Returns:
        One sentence, "" when nothing was caught.
    """
    if not standing["caught_by_poll"]:
        return ""
    own = [one for one in known.deliveries if _is_of(one, standing["caught_in"])]
    at = datetime.fromisoformat(standing["caught_at"])
    if refusal := _blamed(known.refusals, own, at):
        return _told_of(refusal)
    if any(_announces(one, standing["caught_commits"]) for one in own):
        return "its delivery came after the poll had found it: the forge was late"
    if absence := _absence(known.absences, at):
        return f"no hub was there from {absence}: give a source a token, and it finds such pushes"
    return _told_by(own, standing["caught_in"])


def _told_by(own: Sequence[Document], names: Sequence[str]) -> str:
    """What the other deliveries of its repositories tell."""
    if not own:
        name = ", ".join(names) or "its repository"
        return f"no delivery of {name} has arrived: create the webhook, `directcd hook create`"
    if all(one["verdict"] == "no-match" for one in own):
        return "its deliveries match no subscription: see their explanation"
    return (
        "other pushes of it were announced, this one not: see the forge's list of deliveries, or "
        "`directcd hook test`"
    )


def _absence(absences: Sequence[Absence], at: datetime) -> Absence | None:
    near = (one for one in absences if one.began <= at and one.ended >= at - SHORTLY)
    return next(near, None)


def _is_of(delivery: Document, names: Sequence[str]) -> bool:
    return any(delivery["repository"].endswith(f"/{name.lower()}") for name in names)


def _announces(delivery: Document, commits: Sequence[str]) -> bool:
    changes = delivery["explanation"].get("changes", ())
    return any(one["after"] in commits for one in changes)


def _blamed(refusals: Sequence[Refusal], own: Sequence[Document], at: datetime) -> Refusal | None:
    """One that came shortly before, to a source of this repository, with none taken since."""
    taken = [(one["source"], datetime.fromisoformat(one["received_at"])) for one in own]
    sources = {source for source, _ in taken}
    for one in refusals:
        is_near = at - SHORTLY <= one.last_at <= at and one.status in DOUBTED
        is_over = any(source == one.source and one.last_at < then <= at for source, then in taken)
        if is_near and not is_over and (not sources or one.source in sources):
            return one
    return None


def _told_of(refusal: Refusal) -> str:
    return (
        f"a delivery to {refusal.path} was refused shortly before ({refusal.status}: "
        f"{refusal.detail}); {refusal.next}"
    )
