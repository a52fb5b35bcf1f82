"""The server's composition root: workers, and the application that offers what they make."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from cd4sources.api import bodies, openapi, router, watching
from cd4sources.api.guarding import Guard
from cd4sources.api.offers import Offers
from cd4sources.api.origins import is_loopback
from cd4sources.counting import StageCounts
from cd4sources.following import Follower
from cd4sources.health import Health
from cd4sources.metrics import ServerMetrics
from cd4sources.problems import Problem, answer_with_problems, response
from cd4sources.running.confinement import Confinement
from cd4sources.settings import ServerSettings
from cd4sources.signing import load_private_key
from cd4sources.targets import Target
from cd4sources.workers import Hub, Workers, workers


class Server(FastAPI):
    """FastAPI behind a guard, but for /watch, which is answered before its router."""

    guard: Guard
    raw_watch: watching.WatchEndpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, if its sender may ask it."""
        if scope["type"] == "http":
            try:
                scope["access"] = self.guard.admit(HTTPConnection(scope))
                receive = await bodies.bounded(scope, receive)
            except Problem as problem:
                await response(problem)(scope, receive, send)
                return
            if scope["path"] == watching.PATH:
                scope["app"] = self
                await self.raw_watch(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The document, with what FastAPI does not know."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi.completed(super().openapi())
        return self.openapi_schema


def create_app(
    settings: ServerSettings,
    targets: Sequence[Target],
    *,
    hub: Hub | None = None,
    hub_token: str = "",
) -> Server:
    """
    The server's application; its lifespan is the server's life.

    Args:
        settings: How it works.
        targets: What it offers.
        hub: How to reach the hub. Default: over HTTP, at the settings' `hub` if there is one.
        hub_token: For that hub, in place of what is in the settings' `hub_token_file`.

    Returns:
        The application. `app.state.stopping` is an event: set it when the process is to end, and
        every open /watch answers at once. Within the lifespan `app.state.followers` maps names to
        workers, `app.state.store` is the store, and `app.state.builds` what was built.
        `app.state.metrics` and `app.state.health` are what /metrics and /readyz show.
        `app.state.is_guarded` tells whether it takes tokens.

    Raises:
        CannotConfine: Builds cannot be confined as the settings ask.
        KeyUnusable: The signing key cannot be read.
    """
    Confinement.from_settings(settings)  # what is not possible is said before anything starts
    key = load_private_key(settings.signing_key_file) if settings.signing_key_file else None
    counts = StageCounts()
    working = workers(settings, targets, hub=hub, hub_token=hub_token, witness=counts)
    app = Server(
        title="directcd server",
        docs_url=None,
        redoc_url=None,
        lifespan=partial(_lifespan, settings.data, counts, working),
    )
    app.state.stopping = asyncio.Event()
    app.state.followers = {}
    app.state.is_guarded = bool(settings.tokens)
    app.guard = Guard(settings.tokens, is_local=is_loopback(settings.listen))
    app.raw_watch = watching.WatchEndpoint(app.state.stopping, Offers(key))
    answer_with_problems(app)
    app.include_router(router)
    return app


@asynccontextmanager
async def _lifespan(
    data: Path, counts: StageCounts, working: AbstractAsyncContextManager[Workers], app: FastAPI
) -> AsyncIterator[None]:
    """
    Everything the server runs, from the lock on its data to the last worker's end.

    Raises:
        DataInUse: Another process works in this data directory.
    """
    async with working as made:
        app.state.store, app.state.builds = made.store, made.builds
        app.state.followers, app.state.health = made.followers, Health(data, made.hearing)
        app.state.metrics = ServerMetrics(counts, made, data)
        draining = asyncio.create_task(_drain(app.state.stopping, made.followers), name="drain")
        try:
            async with made.at_work():
                yield
        finally:
            draining.cancel()
        app.state.stopping.set()


async def _drain(stopping: asyncio.Event, followers: Mapping[str, Follower]) -> None:
    await stopping.wait()
    for follower in followers.values():
        follower.offer.watchers.wake()
