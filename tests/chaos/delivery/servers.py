"""The server's part: what a life of it has to do, and what has to be true of its directory."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cd4sources.commands import owned_by
from cd4sources.following import Follower
from cd4sources.server import create_app
from cd4sources.settings import ServerSettings
from cd4sources.versions import Record
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
    """

    name: str
    source: Source
    url: str
    commits: list[str] = field(default_factory=list)
    wanted: str = ""

    def prepare(self, base: Path) -> None:
        """Publish what was there before, then push what a life finds."""
        for number in range(_BEFORE[self.name]):
            self.wanted = self.source.commit({**FILES, "words": f"{number}\n" * 2000})
            self.commits.append(self.wanted)
            lived(lambda: self.life(base, base.with_name("seen")))
        _CHANGES[self.name](self, base)

    def life(self, data: Path, seen: Path) -> int:
        """Live until the wanted commit is published."""
        return lives(self._life(data, Seen(seen)))

    next_life = life

    async def _life(self, data: Path, seen: Seen) -> int:
        settings = ServerSettings(
            data=data, keep_versions=KEPT_VERSIONS, poll_interval_seconds=POLL_SECONDS
        )
        app = create_app(settings, [target_of("app", self.url)])
        async with app.router.lifespan_context(app):
            await seen.until(lambda: self._is_done(app.state.followers["app"], seen))
        return 0

    def _is_done(self, follower: Follower, seen: Seen) -> bool:
        if follower.failure:
            seen.failed(follower.failure.message)
            # A build that was struck down counts as one that failed: it waits to be asked for.
            if follower.failure.message.startswith("sh build.sh") and seen.asks_again():
                follower.refresh()
        seen.offers(None if follower.current is None else follower.current.version)
        done = follower.current is not None and follower.current.lockset == (self.wanted,)
        return done and follower.failure is None and follower.last_pass_at is not None

    def broken_between(self, data: Path) -> Iterator[str]:
        """What a reader may not see at any moment."""
        versions = data / "versions" / "app"
        yield from (
            f"{path.name} is not whole" for path in versions.glob("v-*") if not _is_whole(path)
        )
        current = versions / "current"
        if not current.is_symlink():
            if self.name in {"update", "retention", "back"}:
                yield "there is no current version any more"
        elif not {*_lockset(current)} & {*self.commits, self.wanted}:
            yield "the current version is neither the old nor the new one"

    def broken_after(self, data: Path) -> Iterator[str]:
        """What may not be true once a life has done its work."""
        yield from self.broken_between(data)
        versions = data / "versions" / "app"
        if _lockset(versions / "current") != (self.wanted,):
            yield "the wanted commit is not current"
        if len(list(versions.glob("v-*"))) > KEPT_VERSIONS + 1:  # the next publication removes it
            yield "more versions than are to be kept"
        yield from (f"{path.relative_to(data)} was left" for path in _litter(data))
        if left := owned_by(data):
            yield f"processes are left: {sorted(left)}"


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


_BEFORE = {"first": 0, "update": 1, "retention": 2, "back": 2, "unpointed": 1}
_CHANGES = {
    "first": _push,
    "update": _push,
    "retention": _push,
    "back": _go_back,
    "unpointed": _unpoint,
}
SCENARIOS = tuple(_BEFORE)
IN_SHORT = ("update", "retention")


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


LITTER = (".new-*", "*.lock", "*.tmp")


def _litter(data: Path) -> Iterator[Path]:
    for pattern in LITTER:
        yield from data.rglob(pattern)


def made(root: Path, address: str, name: str) -> Delivery:
    """A delivery of a repository of its own; `address` has braces in its name's place."""
    repository = f"{name}-{os.getpid()}"
    return Delivery(name, Source(root / repository), address.format(repository))
