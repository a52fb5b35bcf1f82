"""
Rotating a source's secret: which of its secrets the forge still signs with, and what to do next.

A secret is told by its mark, so that one which moved in the list, or was replaced in its place, is
not taken for another.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from hub.log.base import SecretUse
from hub.secrets import Secret
from hub.sources import Source

logger = logging.getLogger(__name__)

WARN_EVERY = timedelta(hours=1)
QUIET = timedelta(days=1)

Uses = Mapping[str, SecretUse | None]  # of every secret that can be read, by its place


class OlderSecrets:
    """Says in the log that a forge still signs with an older secret, not with every delivery."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], datetime] = {}

    def notice(self, source: Source, secret: Secret | None, now: datetime) -> None:
        """Take note of the secret that signed a delivery; None when nothing was checked."""
        if secret is None or secret.place == source.places[0]:
            return
        place = secret.place
        said = self._said.get((source.name, place))
        if said is None or now - said >= WARN_EVERY:
            self._said[source.name, place] = now
            keys = {"source": source.name, "place": place, "current": source.places[0]}
            logger.warning("delivery signed with an older secret", extra=keys)


def source_view(source: Source, uses: Sequence[SecretUse], now: datetime) -> dict[str, Any]:
    """
    One source as `GET /v1/sources` shows it.

    Args:
        source: as configured now.
        uses: what the log remembers of this source.
        now: aware.
    """
    by_mark = {use.mark: use for use in uses}
    last = max((use.last_used_at for use in uses), default=None)
    readable = {secret.place: secret for secret in source.readable()}
    used = {place: by_mark.get(secret.mark) for place, secret in readable.items()}
    return {
        "name": source.name,
        "provider": source.provider,
        "path": f"/webhooks/{source.provider}/{source.name}",
        "insecure": source.insecure,
        "secrets": [
            {
                "place": place,
                "current": place == source.places[0],
                "readable": place in readable,
                "last_used_at": use.last_used_at.isoformat() if use else None,
                "deliveries": use.deliveries if use else 0,
            }
            for place in source.places
            for use in [used.get(place)]
        ],
        "last_delivery_at": last.isoformat() if last else None,
        "next": _next_step(source.places, used, now),
    }


def _next_step(places: Sequence[str], used: Uses, now: datetime) -> str:
    if missing := [place for place in places if place not in used]:
        return f"{', '.join(missing)} cannot be read; the hub's log says why."
    if len(places) < 2:  # noqa: PLR2004 - one secret is not a rotation
        return ""
    current, *older = places
    newest = used[current]
    still = [place for place in older if _is_used(used[place], newest)]
    if still:
        return " ".join(_still_used(place, current, used[place]) for place in still)
    if newest is None:
        return f"No delivery was signed with {current} yet: give it to the forge."
    return " ".join(_superseded(place, current, used[place], now) for place in older)


def _is_used(older: SecretUse | None, newest: SecretUse | None) -> bool:
    return older is not None and (newest is None or older.last_used_at > newest.last_used_at)


def _still_used(place: str, current: str, use: SecretUse | None) -> str:
    at = _time(use)
    return f"The forge still signs with {place}; last at {at}: give it the secret of {current}."


def _superseded(place: str, current: str, use: SecretUse | None, now: datetime) -> str:
    # One source may have several webhooks, of which only some were given the new secret.
    if use and now - use.last_used_at < QUIET:
        return f"{place} was last used at {_time(use)}: keep it until it was silent for a day."
    when = f"has not been used since {_time(use)}" if use else "was never used"
    return f"{place} {when}, remove it when every webhook of this source has that of {current}."


def _time(use: SecretUse | None) -> str:
    return use.last_used_at.isoformat(timespec="seconds") if use else "no time"
