"""The parts that write beside commits, put together from a hub's settings."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from hub.counting import Counts
from hub.forges.base import Deploying, Forge
from hub.forges.errors import ForgeRefused
from hub.forges.opening import forge_of
from hub.log.base import Log
from hub.settings import HubSettings, SourceSettings
from hub.sources import Source
from hub.statuses.composing import Composer
from hub.statuses.jobs import Kind
from hub.statuses.looking import Looking
from hub.statuses.memory import Memory
from hub.statuses.places import Places
from hub.statuses.redacting import Redactor
from hub.statuses.sending import Sender
from hub.statuses.troubles import Troubles
from hub.statuses.worker import Statuses
from hub.subscriptions import Registry

logger = logging.getLogger(__name__)


def statuses_of(
    settings: HubSettings,
    sources: Sequence[Source],
    log: Log,
    registry: Registry,
    counts: Counts,
    clock: Callable[[], datetime],
) -> Statuses:
    """
    What writes beside commits for the sources that have a token; it has begun nothing.

    Args:
        settings: of the hub.
        sources: all of them.
        log: the hub's.
        registry: who wants what.
        counts: where attempts are counted.
        clock: the time, aware and in UTC.
    """
    forges = dict(_forges(settings.sources))
    memory, troubles = Memory(log, clock), Troubles(log, clock)
    writing = [source for source in sources if source.name in forges]
    kinds = {name: _kinds(settings.sources[name], forge) for name, forge in forges.items()}
    composer = Composer(
        registry,
        Places(writing, settings.sources),
        kinds,
        settings.public_url,
        Redactor(settings, sources),
    )
    senders = {
        name: Sender(name, forge, memory, troubles, counts.statuses, clock)
        for name, forge in forges.items()
    }
    return Statuses(log, memory, troubles, Looking(log, composer, clock), senders)


def _forges(sources: Mapping[str, SourceSettings]) -> list[tuple[str, Forge]]:
    """The API of each source that has a token for it, and writes something."""
    found: list[tuple[str, Forge]] = []
    for name, settings in sources.items():
        if settings.provider == "gogs":
            continue  # it has none
        if not settings.has_api_token or not (settings.commit_statuses or settings.deployments):
            continue
        try:
            found.append((name, forge_of(name, settings)))
        except ForgeRefused as error:
            keys = {"source": name, "reason": str(error), "next": error.next_step}
            logger.warning("no commit statuses", extra=keys)
    return found


def _kinds(settings: SourceSettings, forge: Forge) -> Collection[Kind]:
    kinds: list[Kind] = ["status"] if settings.commit_statuses else []
    if settings.deployments and isinstance(forge, Deploying):
        kinds.append("deployment")
    return kinds
