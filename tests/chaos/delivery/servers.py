"""The server's part: what a life of it has to do, and what has to be true of its directory."""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI

from cd4sources.building.builds import Builds
from cd4sources.following import Follower
from cd4sources.keeping.store import Store
from cd4sources.keeping.versions import Record
from cd4sources.running.commands import owned_by
from cd4sources.server import create_app
from cd4sources.settings import ServerSettings
from tests.chaos.delivery.lives import POLL_SECONDS, Seen, lived, lives
from tests.support.serving import target_of
from tests.support.sources import Source

KEPT_VERSIONS = 2
FILES = {
    "build.sh": 'case "$1" in build) cat words deep/est/file >made;; artifact) echo made;; esac\n',
    "words": "one",
    "deep/est/file": "deep",
    "goes": "away",
}
MARK = "kept"
"""A file in a mirror, by which a new one in its place is told."""

Asked = Callable[[Follower], Awaitable[None]]
"""What an operator asks for."""


@dataclass
class Delivery:
    """
    One repository on its way through a server.

    Attributes:
        name: What is tried.
        source: The repository.
        url: Where it is served.
        commits: Those that were published before.
        wanted: The commit that a life has to publish.
        pinned: The one that has to stay current, empty for none.
    """

    name: str
    source: Source
    url: str
    commits: list[str] = field(default_factory=list)
    wanted: str = ""
    pinned: str = ""

    def prepare(self, base: Path) -> None:
        """Publish what was there before, then push what a life finds."""
        for number in range(_BEFORE[self.name]):
            self.wanted = self.source.commit({**FILES, "words": f"{number}\n" * 2000})
            self.commits.append(self.wanted)
            lived(lambda: lives(self._life(base, Seen(base.with_name("seen")), _look)))
            for target in self._targets:
                (base / "mirrors" / target / "0" / MARK).touch()
        _CHANGES[self.name](self, base)

    def life(self, data: Path, seen: Path) -> int:
        """Live until the wanted commit is published."""
        return lives(self._life(data, Seen(seen), _ASKED.get(self.name, _look)))

    def next_life(self, data: Path, seen: Path) -> int:
        """A rebuild that was begun is not taken up again: what was built before is there."""
        asked = _look if self.name == "rebuild" else _ASKED.get(self.name, _look)
        return lives(self._life(data, Seen(seen), asked))

    @property
    def _targets(self) -> tuple[str, ...]:
        return ("app", "other") if self.name == "two" else ("app",)

    @property
    def _offered(self) -> str:
        """The commit of the version that is current in the end."""
        return self.pinned or self.wanted

    async def _life(self, data: Path, seen: Seen, asked: Asked) -> int:
        settings = ServerSettings(
            data=data, keep_versions=KEPT_VERSIONS, poll_interval_seconds=POLL_SECONDS
        )
        app = create_app(settings, [target_of(name, self.url) for name in self._targets])
        async with app.router.lifespan_context(app):
            before = _newest_build(app)
            await asked(app.state.followers["app"])
            await seen.until(
                lambda: (
                    self._is_done(app, seen)
                    and (asked is not _rebuild or _newest_build(app) != before)
                )
            )
        return 0

    def _is_done(self, app: FastAPI, seen: Seen) -> bool:
        followers: list[Follower] = list(app.state.followers.values())
        for one in followers:
            if one.failure:
                seen.failed(one.failure.message)
        seen.offers(followers[0].offer.current.version if followers[0].offer.current else None)
        return all(self._offers(one, app.state.store) for one in followers)

    def _offers(self, follower: Follower, store: Store) -> bool:
        looked = follower.failure is None and follower.last_pass_at is not None
        made = looked and store.newest(follower.target.name)
        is_new = bool(made and made.lockset == (self.wanted,))
        current = follower.offer.current
        return is_new and current is not None and current.lockset == (self._offered,)

    def broken_between(self, data: Path) -> Iterator[str]:
        """What a reader may not see at any moment."""
        for target in self._targets:
            yield from self._broken(data / "versions" / target)

    def _broken(self, versions: Path) -> Iterator[str]:
        yield from (
            f"{path.name} is not whole" for path in versions.glob("v-*") if not _is_whole(path)
        )
        current = versions / "current"
        if not current.is_symlink():
            if _BEFORE[self.name] and self.name != "unpointed":
                yield "there is no current version any more"
        elif not {*_lockset(current)} & {*self.commits, self.wanted}:
            yield "the current version is neither the old nor the new one"

    def broken_after(self, data: Path) -> Iterator[str]:
        """What may not be true once a life has done its work."""
        yield from self.broken_between(data)
        for target in self._targets:
            yield from self._wrong(data / "versions" / target)
            if self.commits and not (data / "mirrors" / target / "0" / MARK).exists():
                yield "a mirror was thrown away"
        if left := owned_by(data):
            yield f"processes are left: {sorted(left)}"

    def _wrong(self, versions: Path) -> Iterator[str]:
        if _lockset(versions / "current") != (self._offered,):
            yield "the wanted commit is not current"
        if _lockset(versions / "newest") != (self.wanted,):
            yield "the wanted commit is not the newest"
        if len(list(versions.glob("v-*"))) > KEPT_VERSIONS:
            yield "more versions than are to be kept"


def _push(delivery: Delivery, _base: Path) -> None:
    changes = {**FILES, "words": "new\n" * 2000, "goes": None, "deep/comes": "here"}
    if not delivery.commits:
        del changes["goes"]
    delivery.wanted = delivery.source.commit(changes)


def _go_back(delivery: Delivery, _base: Path) -> None:
    delivery.wanted = delivery.commits[0]
    delivery.source.git("reset", "--quiet", "--hard", delivery.wanted)


def _unpoint(_delivery: Delivery, base: Path) -> None:
    (base / "versions" / "app" / "current").unlink()


def _pin(delivery: Delivery, base: Path) -> None:
    delivery.pinned = delivery.commits[0]
    store = Store(base, keep_versions=KEPT_VERSIONS)
    [old] = [one for one in store.list("app") if one.lockset == (delivery.pinned,)]
    store.pin("app", old.version)
    _push(delivery, base)


def _expect_the_first(delivery: Delivery, _base: Path) -> None:
    delivery.pinned = delivery.commits[0]


def _nothing(_delivery: Delivery, _base: Path) -> None:
    """The sources stay as they are."""


async def _look(_follower: Follower) -> None:
    """Nobody asks for anything."""


async def _rebuild(follower: Follower) -> None:
    follower.rebuild()


async def _roll_back(follower: Follower) -> None:
    """Once: the next life finds it done, or has to be asked again."""
    while not follower.offer.pinned:
        try:
            await follower.roll_back()
        except OSError:
            await asyncio.sleep(POLL_SECONDS)


_BEFORE = {
    "first": 0,
    "update": 1,
    "retention": 2,
    "back": 2,
    "unpointed": 1,
    "pinned": 2,
    "rebuild": 1,
    "rollback": 2,
    "two": 1,
}
_CHANGES = {
    "first": _push,
    "update": _push,
    "retention": _push,
    "back": _go_back,
    "unpointed": _unpoint,
    "pinned": _pin,
    "rebuild": _nothing,
    "rollback": _expect_the_first,
    "two": _push,
}
_ASKED: dict[str, Asked] = {"rebuild": _rebuild, "rollback": _roll_back}
SCENARIOS = tuple(_BEFORE)
IN_SHORT = ("retention", "rebuild")


def _newest_build(app: FastAPI) -> str:
    builds: Builds = app.state.builds
    return "".join(one.id for one in builds.list(["app"], limit=1))


def _record(version: Path) -> Record:
    return Record.model_validate_json((version / "record.json").read_bytes())


def _lockset(version: Path) -> tuple[str, ...]:
    return _record(version).lockset if _is_whole(version) else ()


def _is_whole(version: Path) -> bool:
    try:
        artifact = _record(version).artifact
        made = (version / artifact.name).read_bytes()
    except (OSError, ValueError):
        return False
    return hashlib.sha256(made).hexdigest() == artifact.sha256


def made(root: Path, address: str, name: str) -> Delivery:
    """A delivery of a repository of its own; `address` has braces in its name's place."""
    repository = f"{name}-{os.getpid()}"
    return Delivery(name, Source(root / repository), address.format(repository))
