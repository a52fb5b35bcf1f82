"""Why a change was found by a poll and not announced: the likeliest cause the hub knows of."""

from datetime import datetime, timedelta
from typing import Any

from hub.log.base import Log
from hub.log.delivered import Wanted
from hub.log.refused import Refusal
from hub.standing import Standing

LATELY = timedelta(hours=1)
LOOKED_AT = 50  # deliveries and refusals
AUTHENTICATION = frozenset({401, 403, 404, 415})


async def caught_hint(log: Log, standing: Standing) -> str:
    """
    The likeliest cause of what only a poll has found, with what to do; "" when there is none.

    Args:
        log: the hub's.
        standing: of the target.
    """
    if not standing["caught_by_poll"]:
        return ""
    at = datetime.fromisoformat(standing["caught_at"])
    refused = [one for one in await log.refusals(LOOKED_AT, None) if _is_near(one, at)]
    if refused:
        return _told_of(refused[0])
    late = await log.deliveries(1, None, Wanted(q=_commit(standing)))
    if late:
        return "its delivery came after the poll had found it: the forge was late, or the hub away"
    return await _missing(log, standing)


async def _missing(log: Log, standing: Standing) -> str:
    name = str((standing["last"] or {}).get("repository") or "").rpartition("/")[2]
    known = await log.deliveries(LOOKED_AT, None, Wanted(q=f"/{name}")) if name else []
    if not known:
        return f"no delivery of {name or 'its repository'} has ever arrived: create the webhook"
    if all(one["verdict"] == "no-match" for one in known):
        return "its deliveries match no subscription: see their explanation"
    return "other pushes of it were announced, this one not: see the forge's list of deliveries"


def _is_near(refusal: Refusal, at: datetime) -> bool:
    return refusal.status in AUTHENTICATION and abs(refusal.last_at - at) < LATELY


def _told_of(refusal: Refusal) -> str:
    return (
        f"a delivery to {refusal.path} was refused at about that time ({refusal.status}: "
        f"{refusal.detail}); {refusal.next}"
    )


def _commit(standing: dict[str, Any]) -> str:
    return str((standing["newest"] or {}).get("commit") or "no commit")
