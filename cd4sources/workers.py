"""
The workers of a data directory: one for each target, and what they share, as long as they run.

A server offers over HTTP what they make; direct pulling runs it in the same process.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from cd4sources.building.builds import Builds
from cd4sources.building.caches import Caches
from cd4sources.building.lanes import Lanes
from cd4sources.following import Follower
from cd4sources.http import Http
from cd4sources.hub_api import Hearing, HubApi, token_reader
from cd4sources.keeping.store import Store
from cd4sources.locking import locked
from cd4sources.means import Means
from cd4sources.reporting import Reporter, StageReport, Witness, post_over_http
from cd4sources.running.commands import reap_leftovers
from cd4sources.running.confinement import Confinement
from cd4sources.settings import ServerSettings
from cd4sources.sources.remotes import Remotes
from cd4sources.sources.tips import Tips
from cd4sources.targets import Target
from cd4sources.wakes import MissedReason, Notification, Wake, follow_hub


class Hub(Protocol):
    """A way to the hub."""

    async def follow(
        self,
        on_notification: Callable[[Notification], None],
        on_missed: Callable[[MissedReason], None],
    ) -> NoReturn:
        """Pass pushes on for ever; see `cd4sources.wakes.follow_hub`."""

    async def report(self, report: StageReport) -> None:
        """Bring one report there; raises HttpError when it did not arrive."""


@dataclass(frozen=True)
class Workers:
    """One worker for each target, by its name, and where their versions and builds are."""

    followers: dict[str, Follower]
    store: Store
    builds: Builds
    hub: Hub | None
    reporter: Reporter
    lanes: Lanes
    hearing: Hearing | None
    """Of the hub over HTTP."""

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Have them follow their targets and the hub; all end together."""
        async with asyncio.TaskGroup() as group:
            tasks: list[asyncio.Task[Any]] = [
                group.create_task(one.run(), name=f"follow {one.target.name}")
                for one in self.followers.values()
            ]
            if self.hub:
                tasks.append(group.create_task(self.reporter.run(), name="report"))
                tasks.append(group.create_task(self._follow(self.hub), name="follow hub"))
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    async def _follow(self, hub: Hub) -> NoReturn:
        def notify(notification: Notification) -> None:
            for follower in self.followers.values():
                follower.notice(notification)

        def look_at_everything(reason: MissedReason) -> None:
            for follower in self.followers.values():
                follower.wake(Wake(reason))

        await hub.follow(notify, look_at_everything)


@asynccontextmanager
async def workers(
    settings: ServerSettings,
    targets: Sequence[Target],
    *,
    hub: Hub | None = None,
    hub_token: str = "",
    witness: Witness | None = None,
) -> AsyncIterator[Workers]:
    """
    Workers for some targets, not yet at work; the data directory is theirs alone.

    Args:
        settings: How they work.
        targets: One is made for each.
        hub: How to reach the hub. Default: over HTTP, at the settings' `hub` if there is one.
        hub_token: For that hub, in place of what is in the settings' `hub_token_file`.
        witness: Who is told of every stage in this process.

    Raises:
        CannotConfine: Builds cannot be confined as the settings ask.
        DataInUse: Another process works in this data directory.
    """
    with locked(settings.data):
        await reap_leftovers(settings.data)
        Confinement.from_settings(settings).open_up(settings.data)
        store = Store(
            settings.data, keep_versions=settings.keep_versions, keep_bytes=settings.keep_bytes
        )
        builds = Builds(settings.data, keep_builds=settings.keep_builds)
        async with Http() as http, aclosing(Remotes()) as remotes:
            hearing = None
            if hub is None and settings.hub:
                token = token_reader(hub_token, settings.hub_token_file)
                api = HubApi(http, settings.hub, token)
                hub, hearing = _HttpHub(api, settings.name, targets), api.hearing
            reporter = Reporter(hub.report if hub else None, witness)
            lanes, caches = Lanes(settings.build_parallel), Caches(settings.data)
            means = Means(settings, store, builds, caches, reporter, lanes, Tips(remotes))
            followers = {target.name: Follower(target, means) for target in targets}
            yield Workers(followers, store, builds, hub, reporter, lanes, hearing)


class _HttpHub:
    """The hub at the settings' URL."""

    def __init__(self, hub: HubApi, name: str, targets: Sequence[Target]) -> None:
        self._hub = hub
        self._name = name
        self._repositories = [one for target in targets for one in target.repositories]
        self._post = post_over_http(hub)

    async def follow(
        self,
        on_notification: Callable[[Notification], None],
        on_missed: Callable[[MissedReason], None],
    ) -> NoReturn:
        await follow_hub(self._hub, self._name, self._repositories, on_notification, on_missed)

    async def report(self, report: StageReport) -> None:
        await self._post(report)
