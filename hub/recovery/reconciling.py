"""Telling of a push that no delivery told of, in the hub's own name."""

import logging

from adapters import Outcome, Repository
from hub.forges.addresses import ForgeAddress
from hub.receiving import limited
from hub.recovery.means import Means
from hub.recovery.seen import Missed
from hub.settings import RECONCILED
from hub.sources import Source
from hub.telling import Telling, change_of

logger = logging.getLogger(__name__)


class Reconciler:
    """Tells what was missed at the forge of one source."""

    def __init__(self, source: Source, address: ForgeAddress, means: Means) -> None:
        """
        Args:
            source: in whose name.
            address: of its forge.
            means: who tells, and when the hub was away.
        """
        self._source = source
        self._address = address
        self._means = means

    async def tell(self, one: Missed) -> bool:
        """
        Tell of one ref; whether that was news.

        Raises:
            LogUnavailable: it was not stored.
        """
        source, why = self._source, self._means.away.why(one.since)
        told = await self._means.teller.tell(
            Telling(
                source.provider,
                RECONCILED,
                limited(self._outcome(one), source),
                f"no delivery told of this push{why}, the hub found it at the forge",
                details={"found_for": source.name, "last_known_at": one.since.isoformat()},
                is_asked_for=False,
            )
        )
        logger.warning("a push that no delivery told of", extra=_facts(one, told.number))
        return not told.is_repeat

    def _outcome(self, one: Missed) -> Outcome:
        url = f"{self._address.web_url}/{one.repository.path}"
        keys = one.repository.keys
        repository = Repository(keys, one.repository.path, None, f"{url}.git", "", url, "")
        return Outcome(
            kind="push",
            notify=True,
            reason="found by comparing refs with the log",
            delivery_id="",
            event="push",
            repository=repository,
            changes=(change_of(one.ref, one.before, one.after, deleted=one.after is None),),
        )


def _facts(one: Missed, delivery: int | None) -> dict[str, object]:
    where = {"repository": one.repository.path, "ref": one.ref}
    return {**where, "before": one.before, "after": one.after, "delivery": delivery}
