"""The server's composition root: lock, store, workers, wakes and reports for as long as it runs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI

from cd4sources.commands import reap_leftovers
from cd4sources.following import Follower
from cd4sources.http import Http
from cd4sources.locking import locked
from cd4sources.offering import router
from cd4sources.problems import answer_with_problems
from cd4sources.reporting import Reporter
from cd4sources.settings import ServerSettings
from cd4sources.targets import Target
from cd4sources.versions import Store
from cd4sources.wakes import MissedReason, Notification, Wake, follow_hub

logger = logging.getLogger(__name__)


def create_app(settings: ServerSettings, targets: Sequence[Target]) -> FastAPI:
    """
    The server's application; its lifespan is the server's life.

    Args:
        settings: How it works.
        targets: What it offers.

    Returns:
        The application. `app.state.stopping` is an event: set it when the process is to end, and
        every open /watch answers at once. Within the lifespan `app.state.followers` maps names to
        workers, and `app.state.store` is the store.
    """
    app = FastAPI(title="directcd server", lifespan=partial(_lifespan, settings, targets))
    app.state.stopping = asyncio.Event()
    app.state.followers = {}
    answer_with_problems(app)
    app.include_router(router)
    return app


@asynccontextmanager
async def _lifespan(
    settings: ServerSettings, targets: Sequence[Target], app: FastAPI
) -> AsyncIterator[None]:
    """
    Everything the server runs, from the lock on its data to the last worker's end.

    Raises:
        DataInUse: Another process works in this data directory.
    """
    with locked(settings.data):
        await reap_leftovers(settings.data)
        app.state.store = Store(settings.data, keep_versions=settings.keep_versions)
        async with Http() as http:
            reporter = Reporter(http, settings.hub)
            app.state.followers = {
                target.name: Follower(target, settings, app.state.store, reporter)
                for target in targets
            }
            async with _working(settings, http, reporter, list(app.state.followers.values())):
                yield
            app.state.stopping.set()


@asynccontextmanager
async def _working(
    settings: ServerSettings, http: Http, reporter: Reporter, followers: Sequence[Follower]
) -> AsyncIterator[None]:
    """One worker per target, and the tasks that speak with the hub; all end together."""
    async with asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[Any]] = [
            group.create_task(one.run(), name=f"follow {one.target.name}") for one in followers
        ]
        if settings.hub:
            tasks.append(group.create_task(reporter.run(), name="report"))
            following = _follow_hub(settings, http, followers)
            tasks.append(group.create_task(following, name="follow hub"))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _follow_hub(settings: ServerSettings, http: Http, followers: Sequence[Follower]) -> None:
    def notify(notification: Notification) -> None:
        for follower in followers:
            follower.notice(notification)

    def look_at_everything(reason: MissedReason) -> None:
        for follower in followers:
            follower.wake(Wake(reason))

    repositories = [one for follower in followers for one in follower.target.repositories]
    await follow_hub(http, settings.hub, settings.name, repositories, notify, look_at_everything)
