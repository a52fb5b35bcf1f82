"""The server's composition root: lock, store, workers, wakes and reports for as long as it runs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any, NoReturn, Protocol

from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from cd4sources.api import bodies, openapi, router, watching
from cd4sources.api.guarding import Guard
from cd4sources.api.offers import Offers
from cd4sources.api.origins import is_loopback
from cd4sources.building.builds import Builds
from cd4sources.building.caches import Caches
from cd4sources.building.lanes import Lanes
from cd4sources.following import Follower
from cd4sources.http import Http
from cd4sources.keeping.store import Store
from cd4sources.locking import locked
from cd4sources.means import Means
from cd4sources.problems import Problem, answer_with_problems, response
from cd4sources.reporting import Reporter, StageReport, post_over_http
from cd4sources.running.commands import reap_leftovers
from cd4sources.running.confinement import Confinement
from cd4sources.settings import ServerSettings
from cd4sources.signing import load_private_key
from cd4sources.sources.remotes import Remotes
from cd4sources.sources.tips import Tips
from cd4sources.targets import Target
from cd4sources.wakes import MissedReason, Notification, Wake, follow_hub

logger = logging.getLogger(__name__)


class Hub(Protocol):
    """Another way to the hub than HTTP."""

    async def follow(
        self,
        on_notification: Callable[[Notification], None],
        on_missed: Callable[[MissedReason], None],
    ) -> NoReturn:
        """Pass pushes on for ever; see `cd4sources.wakes.follow_hub`."""

    async def report(self, report: StageReport) -> None:
        """Bring one report there; raises HttpError when it did not arrive."""


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
        """The document, with the path that FastAPI does not know."""
        return openapi.completed(super().openapi())


def create_app(
    settings: ServerSettings, targets: Sequence[Target], *, hub: Hub | None = None
) -> Server:
    """
    The server's application; its lifespan is the server's life.

    Args:
        settings: How it works.
        targets: What it offers.
        hub: How to reach the hub. Default: over HTTP, at the settings' `hub` if there is one.

    Returns:
        The application. `app.state.stopping` is an event: set it when the process is to end, and
        every open /watch answers at once. Within the lifespan `app.state.followers` maps names to
        workers, `app.state.store` is the store, and `app.state.builds` what was built.
        `app.state.is_guarded` tells whether it takes tokens.

    Raises:
        CannotConfine: Builds cannot be confined as the settings ask.
        KeyUnusable: The signing key cannot be read.
    """
    Confinement.from_settings(settings)  # what is not possible is said before anything starts
    key = load_private_key(settings.signing_key_file) if settings.signing_key_file else None
    app = Server(
        title="directcd server",
        docs_url=None,
        redoc_url=None,
        lifespan=partial(_lifespan, settings, targets, hub),
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
    settings: ServerSettings, targets: Sequence[Target], hub: Hub | None, app: FastAPI
) -> AsyncIterator[None]:
    """
    Everything the server runs, from the lock on its data to the last worker's end.

    Raises:
        DataInUse: Another process works in this data directory.
    """
    with locked(settings.data):
        await reap_leftovers(settings.data)
        Confinement.from_settings(settings).open_up(settings.data)
        store = app.state.store = Store(
            settings.data, keep_versions=settings.keep_versions, keep_bytes=settings.keep_bytes
        )
        builds = app.state.builds = Builds(settings.data, keep_builds=settings.keep_builds)
        async with Http() as http, aclosing(Remotes()) as remotes:
            hub = hub or (_HttpHub(http, settings, targets) if settings.hub else None)
            reporter = Reporter(hub.report if hub else None)
            lanes = Lanes(settings.build_parallel)
            caches = Caches(settings.data)
            means = Means(settings, store, builds, caches, reporter, lanes, Tips(remotes))
            app.state.followers = {target.name: Follower(target, means) for target in targets}
            async with _working(app, hub, reporter):
                yield
            app.state.stopping.set()


@asynccontextmanager
async def _working(app: FastAPI, hub: Hub | None, reporter: Reporter) -> AsyncIterator[None]:
    """One worker per target, and the tasks that speak with the hub; all end together."""
    followers: list[Follower] = list(app.state.followers.values())
    async with asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[Any]] = [
            group.create_task(one.run(), name=f"follow {one.target.name}") for one in followers
        ]
        tasks.append(group.create_task(_drain(app.state.stopping, followers), name="drain"))
        if hub:
            tasks.append(group.create_task(reporter.run(), name="report"))
            tasks.append(group.create_task(_follow(hub, followers), name="follow hub"))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _drain(stopping: asyncio.Event, followers: Sequence[Follower]) -> None:
    await stopping.wait()
    for follower in followers:
        follower.offer.watchers.wake()


async def _follow(hub: Hub, followers: Sequence[Follower]) -> None:
    def notify(notification: Notification) -> None:
        for follower in followers:
            follower.notice(notification)

    def look_at_everything(reason: MissedReason) -> None:
        for follower in followers:
            follower.wake(Wake(reason))

    await hub.follow(notify, look_at_everything)


class _HttpHub:
    """The hub at the settings' URL."""

    def __init__(self, http: Http, settings: ServerSettings, targets: Sequence[Target]) -> None:
        self._http = http
        self._settings = settings
        self._repositories = [one for target in targets for one in target.repositories]
        self._post = post_over_http(http, settings.hub)

    async def follow(
        self,
        on_notification: Callable[[Notification], None],
        on_missed: Callable[[MissedReason], None],
    ) -> NoReturn:
        url, name = self._settings.hub, self._settings.name
        await follow_hub(self._http, url, name, self._repositories, on_notification, on_missed)

    async def report(self, report: StageReport) -> None:
        await self._post(report)
