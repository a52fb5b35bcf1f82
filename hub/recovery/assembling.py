"""Recovery put together, of what the settings say of each source."""

import logging
from collections.abc import Iterator, Sequence

from hub.counting import Counts
from hub.forges.addresses import ForgeAddress, addresses_of
from hub.forges.base import Forge, Redelivering
from hub.forges.opening import forge_of, git_refs_of, web_url
from hub.recovery.looking import Forges, Looker
from hub.recovery.means import Means
from hub.recovery.recovery import Recovery
from hub.recovery.redelivering import Redeliverer
from hub.recovery.rounds import Plan, Rounds
from hub.settings import HubSettings, SourceSettings
from hub.sources import Source
from hub.subscriptions import Registry

logger = logging.getLogger(__name__)

_REDELIVERING = frozenset({"github"})


def recovery_of(
    settings: HubSettings,
    sources: Sequence[Source],
    registry: Registry,
    means: Means,
    counts: Counts,
) -> Recovery:
    """Recovery for every source whose forge may be asked; nothing is asked yet."""
    asked = _plans(settings, sources, means)
    rounds = [Rounds(one, means.log, registry, means.renames, counts) for one in asked]
    return Recovery(rounds, means.log, means.away)


def _plans(settings: HubSettings, sources: Sequence[Source], means: Means) -> Iterator[Plan]:
    addresses = addresses_of(settings.sources)
    for source in sources:
        own = settings.sources[source.name]
        if not own.has_api_token or not own.recover_interval_seconds:
            continue
        if not web_url(own):
            logger.warning("base_url is not set, so the forge is not asked", extra=_named(source))
            continue
        address = addresses[source.name]
        looker = Looker(source, _forges(source, own, address), means)
        yield Plan(source, address, own.recover_interval_seconds, looker)


def _forges(source: Source, settings: SourceSettings, address: ForgeAddress) -> Forges:
    redeliverer = None
    if settings.provider in _REDELIVERING:
        forge: Forge = forge_of(source.name, settings)
        if isinstance(forge, Redelivering):
            redeliverer = Redeliverer(forge, f"/webhooks/{source.provider}/{source.name}")
    return Forges(address, git_refs_of(source.name, settings), redeliverer)


def _named(source: Source) -> dict[str, str]:
    return {"source": source.name}
