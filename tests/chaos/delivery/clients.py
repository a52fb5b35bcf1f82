"""The client's part: what a life of it has to do, and what has to be true of its directory."""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cd4sources.client import Client
from cd4sources.delivery.installed import RECORD_NAME
from cd4sources.delivery.records import Record
from cd4sources.running.commands import owned_by, trees_of
from cd4sources.settings import ClientSettings
from directcd.demo.world import free_ports
from tests.chaos.delivery.lives import Seen, lived, lives
from tests.integration.cd4sources.peers import Request, ServerPeer, respond

OLDEST, OLDER, OLD, NEW, SICK, FRAIL = (f"v-{number:012d}" for number in range(6))
BAD = {"sick": SICK, "frail": FRAIL}
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
        self.publish(FRAIL, "#!/bin/sh\nsleep 0.2\nexit 7\n")

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Speak the contract."""
        if request.path.endswith("/download"):
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


class Reasons(logging.Handler):
    """Hears why something did not work."""

    def __init__(self, seen: Seen) -> None:
        """Tell it there."""
        super().__init__(logging.WARNING)
        self._seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        """Take the reason for another round, or what nobody expected."""
        if record.exc_info:
            self._seen.failed(str(record.exc_info[1]))
        elif hasattr(record, "peer") or record.getMessage().startswith("cannot"):
            self._seen.failed(str(record.__dict__["reason"]))


@dataclass
class Delivery:
    """One way of a client from what was there to NEW."""

    name: str
    url: str
    sockets: tuple[str, ...] = ()

    @property
    def wanted(self) -> str:
        """The version that has to run at the end."""
        return OLD if self.name in BAD else NEW

    def prepare(self, base: Path) -> None:
        """Run what was there before, one after the other."""
        self.sockets = (f"127.0.0.1:{free_ports(1)[0]}",) if self.name == "sockets" else ()
        seen = base.with_name("seen")
        for version in _BEFORE[self.name]:
            lived(lambda version=version: self._run(base, seen, f"{version}/{version}", version))  # type: ignore[misc]
        if self.name == "damaged":
            (base / "versions" / OLD / "app").write_text("not what was promised")

    def life(self, data: Path, seen: Path) -> int:
        """Live until the new version runs, and nothing else."""
        first = {"install": NEW, **BAD}.get(self.name, OLD)
        return self._run(data, seen, f"{first}/{self._newest}")

    def next_life(self, data: Path, seen: Path) -> int:
        """Meanwhile the server offers nothing but the newest."""
        return self._run(data, seen, f"{self._newest}/{self._newest}")

    @property
    def _newest(self) -> str:
        return BAD.get(self.name, NEW)

    def _run(self, data: Path, seen: Path, offered: str, wanted: str = "") -> int:
        return lives(self._life(data, Seen(seen), offered, wanted or self.wanted))

    async def _life(self, data: Path, seen: Seen, offered: str, wanted: str) -> int:
        settings = ClientSettings(
            data=data,
            servers=(f"{self.url}/{offered}",),
            settle_seconds=0.05,
            keep_versions=KEPT_VERSIONS,
            sockets=self.sockets,
            overlap=self.name != "alone",
        )
        stopping = asyncio.Event()
        logging.getLogger("cd4sources").addHandler(Reasons(seen))
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
        if self.name not in {"alone", "frail"}:
            seen.offers(alive[0] if alive else None)
        judged = all((data / "quarantine" / bad).exists() for bad in BAD.values() if bad in offered)
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
            if refused.name not in BAD.values():
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
        if NEW not in whole and self.name not in BAD:
            yield "the new version is not whole"
        if self.name != "damaged" and len(whole) < len(versions):
            yield "a version is not whole"
        if left := owned_by(data):
            yield f"programs are left: {sorted(left)}"


_BEFORE: dict[str, tuple[str, ...]] = {
    "install": (),
    "swap": (OLD,),
    "prune": (OLDEST, OLDER, OLD),
    "damaged": (OLD,),
    "sick": (OLD,),
    "frail": (OLD,),
    "sockets": (OLD,),
    "alone": (OLD,),
}
SCENARIOS = tuple(_BEFORE)
IN_SHORT = ("swap", "prune")


def running(data: Path) -> list[str]:
    """The versions of the programs that live, one for each program."""
    return [version for tree in trees_of(data) if (version := _version(tree.group))]


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
