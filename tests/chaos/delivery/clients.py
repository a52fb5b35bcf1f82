"""The client's part: what a life of it has to do, and what has to be true of its directory."""

import asyncio
import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cd4sources.client import Client
from cd4sources.commands import owned_by, trees_of
from cd4sources.installed import RECORD_NAME
from cd4sources.records import Record
from cd4sources.settings import ClientSettings
from tests.chaos.delivery.lives import Seen, lived, lives
from tests.integration.cd4sources.peers import Request, ServerPeer, respond

OLDEST, OLDER, OLD, NEW, SICK = (f"v-{number:012d}" for number in range(5))
ARTIFACT_BYTES = 300_000
KEPT_VERSIONS = 3
ANSWER_SECONDS = 5.0
PROGRAM = "#!/bin/sh\ntrap 'exit 0' TERM\nwhile :; do sleep 5 & wait; done\n"


class Offers(ServerPeer):
    """Offers what the path says: /FIRST/THEN/watch."""

    def __init__(self) -> None:
        """Have every version."""
        super().__init__()
        for version in (OLDEST, OLDER, OLD, NEW):
            self.publish(version, f"{PROGRAM}# {version}\n{'#' * ARTIFACT_BYTES}\n")
        self.publish(SICK, "#!/bin/sh\nexit 7\n")

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Speak the contract."""
        if request.path == "/download":
            self._download(request, writer)
            return
        _, first, then, _ = request.path.split("/")
        known = request.query.get("version", [""])[0]
        if known == then:
            await asyncio.sleep(min(ANSWER_SECONDS, float(request.query["timeout"][0])))
            respond(writer, 204)
            return
        self.version = then if known else first
        respond(writer, 200, self.record())


@dataclass
class Delivery:
    """One way of a client from what was there to NEW."""

    name: str
    url: str

    @property
    def wanted(self) -> str:
        """The version that has to run at the end."""
        return OLD if self.name == "sick" else NEW

    def prepare(self, base: Path) -> None:
        """Run what was there before, one after the other."""
        seen = base.with_name("seen")
        for version in _BEFORE[self.name]:
            lived(lambda version=version: self._run(base, seen, f"{version}/{version}", version))  # type: ignore[misc]
        if self.name == "damaged":
            (base / "versions" / OLD / "app").write_text("not what was promised")

    def life(self, data: Path, seen: Path) -> int:
        """Live until the new version runs, and nothing else."""
        first = {"sick": SICK, "install": NEW}.get(self.name, OLD)
        return self._run(data, seen, f"{first}/{self._newest}")

    def next_life(self, data: Path, seen: Path) -> int:
        """Meanwhile the server offers nothing but the newest."""
        return self._run(data, seen, f"{self._newest}/{self._newest}")

    @property
    def _newest(self) -> str:
        return SICK if self.name == "sick" else NEW

    def _run(self, data: Path, seen: Path, offered: str, wanted: str = "") -> int:
        return lives(self._life(data, Seen(seen), offered, wanted or self.wanted))

    async def _life(self, data: Path, seen: Seen, offered: str, wanted: str) -> int:
        settings = ClientSettings(
            data=data,
            servers=(f"{self.url}/{offered}",),
            settle_seconds=0.05,
            keep_versions=KEPT_VERSIONS,
        )
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(Client(settings, ["https://example.com/app"]).run(stopping))
            try:
                await seen.until(lambda: self._is_done(data, seen, offered, wanted))
            finally:
                stopping.set()
        return 0

    def _is_done(self, data: Path, seen: Seen, offered: str, wanted: str) -> bool:
        """The wanted version runs, alone; what is sick is quarantined, what is too old is gone."""
        alive = running(data)
        seen.offers(alive[0] if alive else None)
        judged = SICK not in offered or (data / "quarantine" / SICK).exists()
        pruned = len(list(data.glob("versions/*"))) <= KEPT_VERSIONS
        return alive == [wanted] and _current(data) == wanted and judged and pruned

    def broken_between(self, data: Path) -> Iterator[str]:
        """What may not be found at any moment."""
        current = data / "current"
        if current.is_symlink():
            if not _is_whole(current) and self.name != "damaged":
                yield "the current version is not whole"
        elif _BEFORE[self.name]:
            yield "there is no current version any more"
        for refused in (data / "quarantine").glob("v-*"):
            if refused.name != SICK:
                yield f"{refused.name} is quarantined: {refused.read_text()}"

    def broken_after(self, data: Path) -> Iterator[str]:
        """What may not be true once a life has done its work and was stopped."""
        yield from self.broken_between(data)
        versions = list((data / "versions").glob("*"))
        if not (data / "current").exists() or (data / "current").readlink().name != self.wanted:
            yield "the wanted version is not current"
        if len(versions) > KEPT_VERSIONS:
            yield "more versions than are to be kept"
        whole = [path.name for path in versions if _is_whole(path)]
        if NEW not in whole and self.name != "sick":
            yield "the new version is not whole"
        if self.name != "damaged" and len(whole) < len(versions):
            yield "a version is not whole"
        yield from (f"{path.relative_to(data)} was left" for path in _litter(data))
        if left := owned_by(data):
            yield f"programs are left: {sorted(left)}"


_BEFORE: dict[str, tuple[str, ...]] = {
    "install": (),
    "swap": (OLD,),
    "prune": (OLDEST, OLDER, OLD),
    "damaged": (OLD,),
    "sick": (OLD,),
}
SCENARIOS = tuple(_BEFORE)
IN_SHORT = ("swap", "prune")


def running(data: Path) -> list[str]:
    """The versions of the programs that live, one for each program."""
    return [version for tree in trees_of(data) if (version := _version(tree.pid))]


def _current(data: Path) -> str:
    link = data / "current"
    return link.readlink().name if link.is_symlink() else ""


def _version(pid: int) -> str:
    """The version that a program is one of; empty when it has just ended."""
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            if entry.startswith(b"DIRECTCD_VERSION="):
                return entry.decode().partition("=")[2]
    return ""


def _is_whole(version: Path) -> bool:
    try:
        artifact = Record.model_validate_json((version / RECORD_NAME).read_bytes()).artifact
        digest = hashlib.sha256((version / artifact.name).read_bytes()).hexdigest()
    except (OSError, ValueError):
        return False
    return digest == artifact.sha256


def _litter(data: Path) -> Iterator[Path]:
    yield from data.glob("incoming/*")
    yield from data.glob(".current-*")
    yield from data.rglob("*.tmp")
