"""The composition root: builds a hub from its settings and puts HTTP around it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from hub.again import Again
from hub.api import (
    dead_letters,
    deliveries,
    events,
    explain,
    heads,
    health,
    metrics,
    notify,
    openapi,
    problems,
    refusals,
    reports,
    sessions,
    subscriptions,
    targets,
    webhooks,
)
from hub.api import sources as sources_api
from hub.api.api_bodies import ApiBodies
from hub.api.asgi import Receive, Scope, Send
from hub.api.bodies import Bodies
from hub.api.guarding import Guard, refuse
from hub.api.refusal_book import RefusalBook
from hub.callbacks.addresses import AddressPolicy
from hub.callbacks.sending import Sender
from hub.callbacks.timing import Timing
from hub.callbacks.tools import Tools
from hub.callbacks.worker import Callbacks
from hub.counting import Counts
from hub.counting_trail import TrailCounts
from hub.dashboard import live
from hub.dashboard.live import Bell, LiveEndpoint, Watching
from hub.dashboard.mounting import Shown, mount
from hub.exporting import Exporter
from hub.fanout import Fanout
from hub.forgetting import Forgetting
from hub.http import Poster
from hub.log.base import Log
from hub.log.redis import RedisLog
from hub.log.redis_address import parse_redis_url
from hub.log.spool import SpooledLog
from hub.log.sqlite import SqliteLog
from hub.metrics import HubMetrics, Watched
from hub.problem import Problem
from hub.receiving import Receiver
from hub.servers import Servers
from hub.settings import HubSettings
from hub.sources import build_sources
from hub.subscriptions import Registry

REFRESH_SECONDS = 0.5  # until a push counts for what was subscribed at another hub
Clock = Callable[[], datetime]
Chore = Callable[[], Coroutine[Any, Any, None]]  # goes on until it is cancelled


def utc_now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)


class Hub(FastAPI):
    """
    FastAPI behind a guard, but for three paths that are answered before its router.

    Webhooks must be fast, and streams must be many and end quickly; all are raw ASGI.
    Webhooks are not guarded: their signature is.
    """

    guard: Guard
    raw_webhooks: webhooks.WebhookEndpoint
    raw_events: events.EventsEndpoint
    raw_live: LiveEndpoint
    api_bodies: ApiBodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        path = scope.get("path", "")
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
        elif path.startswith(f"{webhooks.PREFIX}/"):
            await self.raw_webhooks(scope, receive, send)
        else:
            await self._call_guarded(scope, receive, send)

    async def _call_guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self.guard.admit(scope)
        except Problem as problem:
            await refuse(scope, send, problem)
            return
        if raw := self._raw().get(scope["path"]):
            await raw(scope, receive, send)
            return
        with self.api_bodies.taking(receive) as limited:
            await super().__call__(scope, limited, send)

    def _raw(self) -> Mapping[str, ASGIApp]:
        return {events.PATH: self.raw_events, live.PATH: self.raw_live}

    def openapi(self) -> dict[str, Any]:
        """The document, with the two paths that FastAPI does not know."""
        document = super().openapi()
        document["paths"].update(openapi.PATHS)
        return document


def create_app(settings: HubSettings, *, log: Log | None = None, clock: Clock = utc_now) -> Hub:
    """
    A hub as an ASGI application; it opens its log when its lifespan starts.

    Set `app.state.stopping` to drain it: every open stream and poll ends at once.

    Args:
        settings: validated settings.
        log: another engine than the embedded one.
        clock: the time, aware and in UTC.

    Raises:
        UnknownProvider: a source names a provider that no adapter speaks.
        ExtraMissing: `otlp_endpoint` is set, and what exports spans is not installed.
    """
    sources = build_sources(settings.sources)
    engine = log or _log(settings, clock)
    registry = Registry(engine)
    fanout = Fanout(engine)
    counts, trail = Counts(settings.sources), TrailCounts()
    counts.follow(engine)
    callbacks = _callbacks(settings, engine, registry, clock, counts)
    bell = Bell()
    refused = RefusalBook(engine, clock, partial(bell.ring, "refusals"))
    chores = (
        refused.run,
        Forgetting(engine, settings.keep_deliveries_days, clock).run,
        Watching(bell, counts, trail).run,
    )
    stops = (bell.stop, fanout.stop, callbacks.stop)
    app = Hub(
        title="directcd hub",
        docs_url=None,
        redoc_url=None,
        lifespan=lambda app: _lifespan(app, engine, registry, callbacks, chores, stops),
    )
    app.api_bodies = ApiBodies()
    app.guard = Guard(settings)
    app.state.is_guarded = bool(settings.tokens)
    app.state.stopping = asyncio.Event()
    app.state.servers = servers = Servers(settings.servers)
    app.state.exporter = exporter = _exporter(settings.otlp_endpoint)
    receiver = Receiver(sources, engine, registry, public_url=settings.public_url)
    app.raw_webhooks = _webhooks(settings, receiver, refused, clock, counts)
    app.raw_events = events.EventsEndpoint(engine, fanout, registry, counts)
    app.raw_live = LiveEndpoint(bell, app.state.stopping.is_set)
    again = Again(receiver, engine, registry, clock=clock, public_url=settings.public_url)
    watched = Watched(counts, trail, sources, engine, registry, fanout, callbacks, clock)
    app.state.metrics = HubMetrics(watched)
    for routes in (
        subscriptions.router(registry, fanout, clock, callbacks, engine.channels),
        dead_letters.router(engine, callbacks),
        deliveries.router(engine, again, settings.public_url),
        explain.router(again),
        notify.router(again),
        refusals.router(engine),
        heads.router(engine),
        sources_api.router(sources, engine, clock),
        reports.router(engine, trail, exporter),
        targets.router(engine),
        sessions.router(app.guard, public_url=settings.public_url),
        health.router(engine, app.state.stopping),
        metrics.router(app.state.metrics, engine),
    ):
        app.include_router(routes)
    shown = Shown(
        engine, registry, fanout, callbacks, again, sources, servers, clock, settings.public_url,
        is_guarded=bool(settings.tokens),
    )  # fmt: skip
    problems.install(app, mount(app, shown, bell))
    return app


@asynccontextmanager
async def _lifespan(
    app: FastAPI,
    log: Log,
    registry: Registry,
    callbacks: Callbacks,
    chores: Sequence[Chore],
    stops: Sequence[Callable[[], None]],
) -> AsyncIterator[None]:
    await log.open()
    try:
        await registry.refresh()
        async with asyncio.TaskGroup() as tasks:
            drain = tasks.create_task(_drain(app.state.stopping, stops), name="drain")
            tasks.create_task(callbacks.run(), name="callbacks")
            refresh = tasks.create_task(_refresh(registry), name="refresh subscriptions")
            running = [tasks.create_task(chore()) for chore in chores]
            yield
            for task in (refresh, drain, *running):
                task.cancel()
            callbacks.stop()
    finally:
        await app.state.servers.close()
        if app.state.exporter:
            await asyncio.to_thread(app.state.exporter.close)
        await log.close()


async def _refresh(registry: Registry) -> None:
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        await registry.refresh()


async def _drain(stopping: asyncio.Event, stops: Sequence[Callable[[], None]]) -> None:
    # uvicorn waits for open responses before it ends the lifespan; these would stay open for ever.
    await stopping.wait()
    for stop in stops:
        stop()


def _exporter(endpoint: str) -> Exporter | None:
    return Exporter(endpoint) if endpoint else None


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


def _webhooks(
    settings: HubSettings,
    receiver: Receiver,
    refused: RefusalBook,
    clock: Clock,
    counts: Counts,
) -> webhooks.WebhookEndpoint:
    return webhooks.WebhookEndpoint(
        receiver,
        clock,
        counts=counts,
        refused=refused,
        bodies=Bodies(settings.data / "bodies", settings.body_limit_bytes),
        public_url=settings.public_url,
    )
