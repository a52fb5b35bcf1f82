"""What a hub is made of, put together from its settings; HTTP comes round it in `hub.app`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from hub.again import Again
from hub.api.admitting import Admission
from hub.api.refusal_book import RefusalBook
from hub.callbacks.addresses import AddressPolicy
from hub.callbacks.sending import Sender
from hub.callbacks.timing import Timing
from hub.callbacks.tools import Tools
from hub.callbacks.worker import Callbacks
from hub.counting import Counts
from hub.counting_trail import TrailCounts
from hub.dashboard.live import Bell
from hub.exporting import Exporter
from hub.fanout import Fanout
from hub.forges.meta import HookNetworks
from hub.forges.opening import api_url
from hub.http import Poster
from hub.log.base import Log
from hub.log.redis import RedisLog
from hub.log.redis_address import parse_redis_url
from hub.log.spool import SpooledLog
from hub.log.sqlite import SqliteLog
from hub.receiving import Receiver
from hub.recovery.assembling import recovery_of
from hub.recovery.away import Away
from hub.recovery.hearing import Hearing
from hub.recovery.means import Means
from hub.recovery.recovery import Recovery
from hub.renaming import Renames
from hub.senders import AllowedSenders
from hub.servers import Servers
from hub.settings import GITHUB_META, HubSettings
from hub.sources import Source, build_sources
from hub.statuses.assembling import statuses_of
from hub.statuses.worker import Statuses
from hub.subscriptions import Registry
from hub.telling import Teller

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Parts:
    """
    One hub's objects.

    Attributes:
        bell: wakes the pages that are open.
        refused: takes down what was not accepted.
        admission: knows who sends, and who may.
        published: lists of senders that are read from forges.
        exporter: sends the trail to a collector, when there is one.
        statuses: writes beside commits, where there is a token.
    """

    settings: HubSettings
    clock: Clock
    log: Log
    sources: Sequence[Source]
    registry: Registry
    renames: Renames
    fanout: Fanout
    counts: Counts
    trail: TrailCounts
    callbacks: Callbacks
    receiver: Receiver
    again: Again
    bell: Bell
    refused: RefusalBook
    admission: Admission
    published: Sequence[HookNetworks]
    servers: Servers
    recovery: Recovery
    exporter: Exporter | None
    statuses: Statuses


def parts_of(settings: HubSettings, log: Log | None, clock: Clock) -> Parts:
    """
    The objects of a hub, none of which has begun anything.

    Args:
        settings: validated settings.
        log: another engine than the one that the settings name.
        clock: the time, aware and in UTC.

    Raises:
        UnknownProvider: a source names a provider that no adapter speaks.
        ExtraMissing: `otlp_endpoint` is set, and what exports spans is not installed.
    """
    sources, url = build_sources(settings.sources), settings.public_url
    engine = log or _log(settings, clock)
    registry, counts, bell = Registry(engine), Counts(settings.sources), Bell()
    counts.follow(engine)
    renames, teller = Renames(engine), Teller(engine, registry, clock, url)
    means = Means(engine, Hearing(engine), teller, renames, Away(engine, clock), clock)
    published = _published(settings, engine)
    admission = Admission(settings.trusted_proxies, _allowed(settings, published))
    receiver = Receiver(sources, engine, registry, renames, public_url=url)
    return Parts(
        settings=settings,
        clock=clock,
        log=engine,
        sources=sources,
        registry=registry,
        renames=renames,
        fanout=Fanout(engine),
        counts=counts,
        trail=TrailCounts(),
        callbacks=_callbacks(settings, engine, registry, clock, counts),
        receiver=receiver,
        again=Again(receiver, engine, registry, renames, teller),
        bell=bell,
        refused=RefusalBook(engine, clock, admission, partial(bell.ring, "refusals")),
        admission=admission,
        published=tuple(published.values()),
        servers=Servers(settings.servers),
        recovery=recovery_of(settings, sources, registry, means, counts),
        exporter=Exporter(settings.otlp_endpoint) if settings.otlp_endpoint else None,
        statuses=statuses_of(settings, sources, engine, registry, counts, clock),
    )


def _published(settings: HubSettings, log: Log) -> dict[str, HookNetworks]:
    """The lists of senders that sources ask for, by the address of the API that has them."""
    asking = (one for one in settings.sources.values() if GITHUB_META in one.allowed_senders)
    return {url: HookNetworks(url, log) for url in {api_url(one) for one in asking}}


def _allowed(
    settings: HubSettings, published: Mapping[str, HookNetworks]
) -> dict[str, AllowedSenders]:
    """Who may deliver, by source; those that take deliveries of everybody are left out."""
    allowed = {}
    for name, source in settings.sources.items():
        networks = [one for one in source.allowed_senders if not isinstance(one, str)]
        listed = published[api_url(source)] if GITHUB_META in source.allowed_senders else None
        if source.allowed_senders:
            allowed[name] = AllowedSenders(name, networks, listed)
    return allowed


def _log(settings: HubSettings, clock: Clock) -> Log:
    limits: dict[str, Any] = {
        "keep_events": settings.keep_events,
        "keep_deliveries": settings.keep_deliveries,
        "deduplication_seconds": settings.deduplication_seconds,
        "clock": clock,
    }
    url = settings.redis.get_secret_value()
    if not url:
        return SqliteLog(settings.data, **limits)
    return SpooledLog(
        RedisLog(parse_redis_url(url), keep_payloads=settings.keep_payloads, **limits),
        settings.data / "spool",
        limit_bytes=settings.spool_limit_bytes,
        clock=clock,
    )


def _callbacks(
    settings: HubSettings, log: Log, registry: Registry, clock: Clock, counts: Counts
) -> Callbacks:
    policy = AddressPolicy(
        allow_private=settings.callback_allow_private, allowed=settings.callback_allowed_networks
    )
    poster = Poster(policy.refusal)
    timing = Timing(retry_seconds=settings.callback_retry_seconds)
    sender = Sender(poster, clock, counts)
    url = settings.public_url
    return Callbacks(Tools(log, registry, poster, sender, timing, clock, url, counts))
