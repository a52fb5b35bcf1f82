"""
Rotating a source's secret: which of its secrets the forge still signs with, and what to do next.

Secrets are known by their place alone. Nothing here, and nothing the log keeps, is made of one.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hub.log.base import SecretUse
from hub.sources import Source

logger = logging.getLogger(__name__)

WARN_EVERY = timedelta(hours=1)


class OlderSecrets:
    """Says in the log that a forge still signs with an older secret, not with every delivery."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], datetime] = {}

    def notice(self, source: Source, place: str, now: datetime) -> None:
        """Take note of the place of the secret that signed a delivery; "" when none did."""
        if not place or place == source.places[0]:
            return
        said = self._said.get((source.name, place))
        if said is None or now - said >= WARN_EVERY:
            self._said[source.name, place] = now
            keys = {"source": source.name, "place": place, "current": source.places[0]}
            logger.warning("delivery signed with an older secret", extra=keys)


def source_view(source: Source, uses: Sequence[SecretUse], started_at: datetime) -> dict[str, Any]:
    """
    One source as `GET /v1/sources` shows it.

    Args:
        source: as configured now.
        uses: what the log remembers of this source.
        started_at: when the configuration was read; secrets may have changed places then.
    """
    by_place = {use.place: use for use in uses if use.siblings == source.siblings(use.place)}
    last = max((use.last_used_at for use in uses), default=None)
    return {
        "name": source.name,
        "provider": source.provider,
        "path": f"/webhooks/{source.provider}/{source.name}",
        "insecure": source.insecure,
        "secrets": [
            {
                "place": place,
                "current": place == source.places[0],
                "last_used_at": use.last_used_at.isoformat() if use else None,
                "deliveries": use.deliveries if use else 0,
            }
            for place in source.places
            for use in [by_place.get(place)]
        ],
        "last_delivery_at": last.isoformat() if last else None,
        "next": "" if source.insecure else _next_step(source, by_place, started_at),
    }


def _next_step(source: Source, uses: dict[str, SecretUse], started_at: datetime) -> str:
    current, *older = source.places
    newest = uses.get(current)
    still = [place for place in older if _is_used(uses.get(place), newest)]
    if still:
        return " ".join(
            f"The forge still signs with {place}; last at {_time(uses[place].last_used_at)}: "
            f"give it the secret of {current}."
            for place in still
        )
    # Before the first delivery since the start nobody knows that `current` is what it was.
    if newest is None or newest.last_used_at < started_at:
        return ""
    return " ".join(_removable(place, current, uses.get(place), started_at) for place in older)


def _is_used(older: SecretUse | None, newest: SecretUse | None) -> bool:
    return older is not None and (newest is None or older.last_used_at > newest.last_used_at)


def _removable(place: str, current: str, use: SecretUse | None, started_at: datetime) -> str:
    since = max(use.last_used_at, started_at) if use else started_at
    return (
        f"{place} has not been used since {_time(since)}, remove it "
        f"when every webhook of this source has the secret of {current}."
    )


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
