"""Puts the dashboard onto a hub: its routes, and what wakes the pages that are open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import FastAPI

from hub.again import Again
from hub.callbacks.worker import Callbacks
from hub.dashboard import builds, deliveries, health, login, overview, setup, subscribers, targets
from hub.dashboard.live import Bell
from hub.dashboard.looking import Looker
from hub.dashboard.pages import Pages, static_files
from hub.fanout import Fanout
from hub.log.base import Log
from hub.servers import Servers
from hub.sources import Source
from hub.subscriptions import Registry


@dataclass(frozen=True)
class Shown:
    """What the pages show: the hub's own objects."""

    log: Log
    registry: Registry
    fanout: Fanout
    callbacks: Callbacks
    again: Again
    sources: Sequence[Source]
    servers: Servers
    clock: Callable[[], datetime]
    public_url: str
    is_guarded: bool


def _looker(shown: Shown) -> Looker:
    names = [one.name for one in shown.sources]
    return Looker(shown.log, shown.registry, shown.servers, names, shown.clock)


def mount(app: FastAPI, shown: Shown, bell: Bell) -> Pages:
    """Add every page to an application; `bell` is rung when something changes."""
    pages = Pages(shown.clock, shown.is_guarded)
    log, registry = shown.log, shown.registry
    for routes in (
        overview.router(pages, _looker(shown)),
        targets.router(pages, log),
        deliveries.router(pages, log, shown.again, registry, shown.public_url),
        subscribers.router(pages, registry, shown.fanout, shown.callbacks, shown.clock),
        setup.router(pages, log, shown.sources, registry, shown.public_url),
        builds.router(pages, shown.servers),
        health.router(pages, log, shown.servers),
        login.router(pages),
        static_files(),
    ):
        app.include_router(routes)
    log.listen(lambda _: bell.ring("deliveries"))  # before what is counted is looked at
    registry.on_change(lambda: bell.ring("subscribers"))
    return pages
