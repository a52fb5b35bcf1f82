"""
Rotating a source's secret: which of its secrets the forge still signs with, and what to do next.

A secret is told by its mark, so that one which moved in the list, or was replaced in its place, is
not taken for another.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from hub.log.values import SecretUse
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
    used = {secret.place: by_mark.get(secret.mark) for secret in source.readable()}
    last = max((use.last_used_at for use in uses), default=None)
    return {
        "name": source.name,
        "provider": source.provider,
        "path": f"/webhooks/{source.provider}/{source.name}",
        "insecure": source.insecure,
        "secrets": [
            {"place": place, "current": place == source.places[0], **_use_view(place, used)}
            for place in source.places
        ],
        "last_delivery_at": last.isoformat() if last else None,
        "next": _next_step(source.places, used, now),
    }


def _use_view(place: str, used: Uses) -> dict[str, Any]:
    use = used.get(place)
    return {
        "readable": place in used,
        "last_used_at": use.last_used_at.isoformat() if use else None,
        "deliveries": use.deliveries if use else 0,
    }


def _next_step(places: Sequence[str], used: Uses, now: datetime) -> str:
    if missing := [place for place in places if place not in used]:
        return f"{', '.join(missing)} cannot be read; the hub's log says why."
    older = places[1:]
    if not older:
        return ""
    current, newest = places[0], used[places[0]]
    still = [
        f"The forge still signs with {place}; last at {_time(use)}: "
        f"give it the secret of {current}."
        for place in older
        if (use := used[place]) and (not newest or use.last_used_at > newest.last_used_at)
    ]
    if still:
        return " ".join(still)
    if newest is None:
        return f"No delivery was signed with {current} yet: give it to the forge."
    return " ".join(_superseded(place, current, used[place], now) for place in older)


def _superseded(place: str, current: str, use: SecretUse | None, now: datetime) -> str:
    # One source may have several webhooks, of which only some were given the new secret.
    if use and now - use.last_used_at < QUIET:
        return f"{place} was last used at {_time(use)}: keep it until it was silent for a day."
    when = f"has not been used since {_time(use)}" if use else "was never used"
    return f"{place} {when}, remove it when every webhook of this source has that of {current}."


def _time(use: SecretUse) -> str:
    return use.last_used_at.isoformat(timespec="seconds")
