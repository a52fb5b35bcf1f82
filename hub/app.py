"""The composition root: puts HTTP around the parts of a hub, and has them live as long as that."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

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
    recovery,
    refusals,
    reports,
    sessions,
    subscriptions,
    targets,
    webhooks,
)
from hub.api import sources as sources_api
from hub.api.api_bodies import ApiBodies
from hub.api.asgi import Receive, Scope, Send, respond_problem
from hub.api.bodies import Bodies
from hub.api.crowding import Crowd
from hub.api.guarding import Guard, refuse
from hub.dashboard import live
from hub.dashboard.live import LiveEndpoint, Watching
from hub.dashboard.mounting import Shown, mount
from hub.forgetting import Forgetting
from hub.log.base import Log
from hub.metrics import HubMetrics, Watched
from hub.parts import Clock, Parts, parts_of
from hub.problem import Problem
from hub.settings import HubSettings
from hub.subscriptions import Registry

REFRESH_SECONDS = 0.5  # until a push counts for what was subscribed at another hub
Chore = Coroutine[Any, Any, None]


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
    crowd: Crowd

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
        if full := self.crowd.full(scope):
            await respond_problem(send, full, {"retry-after": "1"})
            return
        with self.crowd.joined(scope), self.api_bodies.taking(receive) as limited:
            await super().__call__(scope, limited, send)

    def _raw(self) -> Mapping[str, ASGIApp]:
        return {events.PATH: self.raw_events, live.PATH: self.raw_live}

    def openapi(self) -> dict[str, Any]:
        """The document, with what FastAPI does not know."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi.completed(super().openapi())
        return self.openapi_schema


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
    parts = parts_of(settings, log, clock)
    app = Hub(
        title="directcd hub",
        docs_url=None,
        redoc_url=None,
        lifespan=lambda app: _lifespan(app.state.stopping, parts),
    )
    app.guard = Guard(settings)
    app.state.is_guarded = bool(settings.tokens)
    app.state.stopping = stopping = asyncio.Event()
    app.state.counts = parts.counts
    app.state.metrics = HubMetrics(_watched(parts))
    app.api_bodies = ApiBodies()
    app.crowd = Crowd()
    app.raw_webhooks = _webhooks(parts)
    app.raw_events = events.EventsEndpoint(parts.log, parts.fanout, parts.registry, parts.counts)
    app.raw_live = LiveEndpoint(parts.bell, stopping.is_set)
    for routes in _routes(app, parts):
        app.include_router(routes)
    problems.install(app, mount(app, _shown(parts), parts.bell))
    return app


def _routes(app: Hub, parts: Parts) -> Iterator[APIRouter]:
    """The API's, a resource each; the pages have their own."""
    log, clock, url = parts.log, parts.clock, parts.settings.public_url
    yield subscriptions.router(parts.registry, parts.fanout, clock, parts.callbacks, log.channels)
    yield dead_letters.router(log, parts.callbacks)
    yield deliveries.router(log, parts.again, url)
    yield explain.router(parts.again)
    yield notify.router(parts.again)
    yield refusals.router(log)
    yield heads.router(log)
    yield sources_api.router(parts.sources, log, clock, parts.statuses)
    yield recovery.router(parts.recovery.rounds, parts.settings.sources)
    yield reports.router(log, parts.trail, parts.exporter, parts.statuses.ring)
    yield targets.router(log)
    yield sessions.router(app.guard, public_url=url)
    yield health.router(log, app.state.stopping)
    yield metrics.router(app.state.metrics, log)


def _shown(parts: Parts) -> Shown:
    return Shown(
        parts.log,
        parts.registry,
        parts.fanout,
        parts.callbacks,
        parts.again,
        parts.sources,
        parts.servers,
        parts.clock,
        parts.settings.public_url,
        is_guarded=bool(parts.settings.tokens),
    )


def _watched(parts: Parts) -> Watched:
    return Watched(
        parts.counts,
        parts.trail,
        parts.sources,
        parts.log,
        parts.registry,
        parts.fanout,
        parts.callbacks,
        parts.clock,
    )


def _webhooks(parts: Parts) -> webhooks.WebhookEndpoint:
    settings = parts.settings
    return webhooks.WebhookEndpoint(
        parts.receiver,
        parts.clock,
        counts=parts.counts,
        refused=parts.refused,
        admission=parts.admission,
        bodies=Bodies(settings.data / "bodies", settings.body_limit_bytes),
    )


@asynccontextmanager
async def _lifespan(stopping: asyncio.Event, parts: Parts) -> AsyncIterator[None]:
    await parts.log.open()
    try:
        await parts.registry.refresh()
        await parts.renames.load()
        for published in parts.published:
            await published.load()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(parts.callbacks.run(), name="callbacks")
            tasks.create_task(parts.statuses.run(), name="commit statuses")
            chores = [
                tasks.create_task(chore, name=name) for name, chore in _chores(stopping, parts)
            ]
            yield
            for chore in chores:
                chore.cancel()
            parts.callbacks.stop()
            parts.statuses.stop()
    finally:
        await parts.renames.close()
        for published in parts.published:
            await published.close()
        await parts.servers.close()
        await parts.recovery.close()
        if parts.exporter:
            await asyncio.to_thread(parts.exporter.close)
        await parts.log.close()


def _chores(stopping: asyncio.Event, parts: Parts) -> Iterator[tuple[str, Chore]]:
    """What goes on until it is cancelled, by its name."""
    kept_days = parts.settings.keep_deliveries_days
    stops = (parts.bell.stop, parts.fanout.stop, parts.callbacks.stop, parts.statuses.stop)
    yield "drain", _drain(stopping, stops)
    yield "refresh subscriptions", _refresh(parts.registry)
    yield "note names of repositories", parts.renames.run()
    for published in parts.published:
        yield "read who may send", published.run()
    yield "write refusals", parts.refused.run()
    yield "forget deliveries", Forgetting(parts.log, kept_days, parts.clock).run()
    yield "recover missed pushes", parts.recovery.run()
    yield "watch for pages", Watching(parts.bell, parts.counts, parts.trail).run()


async def _refresh(registry: Registry) -> None:
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        await registry.refresh()


async def _drain(stopping: asyncio.Event, stops: Sequence[Callable[[], None]]) -> None:
    # uvicorn waits for open responses before it ends the lifespan; these would stay open for ever.
    await stopping.wait()
    for stop in stops:
        stop()
