"""
One fault at a point, for many points: a life with it, one more without it, and what is broken then.

A process of its own, which forks every life: a life has nothing to import, and a hundred of them
take half a minute.
"""

import errno
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from pydantic import TypeAdapter

from cd4sources.building import making
from cd4sources.delivery import supervising
from cd4sources.running.commands import owned_by
from tests.chaos.delivery import clients, servers
from tests.chaos.delivery.lives import LIFE_SECONDS, REFUSED
from tests.chaos.delivery.tracing import Fault, Point, Tracer, forked, is_possible

FULL_SECONDS = 0.6
"""So long a disk stays full; several passes fail meanwhile."""

RETRY_SECONDS = 0.05
"""So soon a build that failed is tried again, and a program that ended: no life has a minute."""

IMPOSSIBLE = 69
"""Status of this process on a machine that lets nothing be traced."""

Hit = Literal["main", "caller", "all", "once", "full"]
"""Killed: server or client, the git or build that calls, everything. Refused: one call, or all."""

KILLS: tuple[Hit, ...] = ("main", "caller", "all")
REFUSALS: tuple[Hit, ...] = ("once", "full")


_UNIQUE = re.compile(
    r"(?<=/)([0-9a-f]{2}(/[0-9a-f]{38})?|[0-9a-f]{40,}|v-[0-9a-f]{12}|b-[0-9]{13})(?=/|$)"
)
_FULL = re.compile(r"is full|needs \d+ bytes, \d+ are free")
_NEXT = re.compile(r"next: |make room")

T = TypeVar("T")


class Delivery(Protocol):
    """What is disturbed."""

    name: str

    def prepare(self, base: Path) -> None:
        """Make a directory as an earlier life left it."""

    def life(self, data: Path, seen: Path) -> int:
        """Live until the work is done."""

    def next_life(self, data: Path, seen: Path) -> int:
        """Live again until it is done, after a life that was killed."""

    def broken_between(self, data: Path) -> Iterator[str]:
        """What may not be seen at any moment."""

    def broken_after(self, data: Path) -> Iterator[str]:
        """What may not be seen once the work is done."""


@dataclass(frozen=True)
class Order:
    """
    What a process is asked to do.

    Attributes:
        kind: Whom to disturb.
        hits: How.
        room: Where; repositories are served from `git` in it.
        address: Where those are served, or the versions.
        count: So many shots, spread evenly; 0 for all.
        in_short: Whether only a few scenarios are tried.
        part: Which of the `parts` of them this process has.
        parts: How many processes share the work.
    """

    kind: Literal["server", "client"]
    hits: tuple[Hit, ...]
    room: Path
    address: str
    count: int = 0
    in_short: bool = True
    part: int = 0
    parts: int = 1


@dataclass(frozen=True)
class Shot:
    """Where a fault strikes, and whom."""

    number: int
    hit: Hit


@dataclass
class Verdict:
    """What came of one shot; it missed when the point was never reached."""

    scenario: str
    shot: Shot
    at: str = ""
    stuck: bool = False
    broken: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Campaign:
    """Shots at one delivery."""

    def __init__(self, delivery: Delivery, room: Path) -> None:
        """Prepare it."""
        self._delivery = delivery
        self._base, self._data, self._seen = room / "base", room / "data", room / "seen"
        self._base.mkdir(parents=True)
        delivery.prepare(self._base)
        self._clean = shapes(self._base)

    def points(self) -> list[Point]:
        """Every change that a life without a fault makes; whoever reads meanwhile sees no harm."""
        broken: list[str] = []

        def read(_tracer: Tracer, point: Point) -> int:
            found = self._delivery.broken_between(self._data)
            broken.extend(f"before {point.call} {point.path}: {one}" for one in found)
            return 0

        tracer = self._begun(read)
        status = tracer.wait(tracer.pid, 2 * LIFE_SECONDS)
        broken += self._delivery.broken_after(self._data)
        assert (status, broken) == (0, []), f"not even undisturbed: {status} {broken}"
        self._clean |= shapes(self._data)
        return tracer.points

    def fire(self, shot: Shot) -> Verdict:
        """One life with a fault, another if it did not survive, and the verdict."""
        verdict = Verdict(self._delivery.name, shot)
        tracer = self._begun(_fault(shot, verdict))
        status = tracer.wait(tracer.pid, 2 * LIFE_SECONDS)
        verdict.broken += [f"at once: {one}" for one in self._delivery.broken_between(self._data)]
        self._hear(verdict)
        if status == REFUSED or (status != 0 and shot.hit in {"main", "all"}):
            status = self._lived_again(tracer)
        verdict.stuck = status != 0
        verdict.broken += self._delivery.broken_after(self._data)
        left = shapes(self._data) - self._clean
        verdict.broken += [f"{one} was left" for one in sorted(left)]
        tracer.kill(*tracer.alive, *owned_by(self._data))
        return verdict

    def _lived_again(self, tracer: Tracer) -> int | None:
        pid = forked(self._next_life)
        status = tracer.wait(pid, 2 * LIFE_SECONDS)
        if status is None:
            tracer.kill(pid)
        return status

    def _begun(self, fault: Fault) -> Tracer:
        shutil.rmtree(self._data, ignore_errors=True)
        self._seen.unlink(missing_ok=True)
        shutil.copytree(self._base, self._data, symlinks=True)
        tracer = Tracer(self._data, fault)
        tracer.start(self._life)
        return tracer

    def _life(self) -> int:
        return self._delivery.life(self._data, self._seen)

    def _next_life(self) -> int:
        return self._delivery.next_life(self._data, self._seen)

    def _hear(self, verdict: Verdict) -> None:
        if self._seen.exists():
            told = json.loads(self._seen.read_bytes())
            verdict.failures = told["failures"]
            verdict.broken += ["the old version was not offered any more"] * told["lost"]
            if verdict.shot.hit in REFUSALS:
                helpless = (one for one in verdict.failures if not _helps(one))
                verdict.broken += [f"does not say what to do: {one}" for one in helpless]


def shapes(data: Path) -> set[str]:
    """What there is below a directory; names that are never the same twice look alike."""
    found = (path for path in data.rglob("*") if not _of_an_unfinished_tree(path))
    return {_UNIQUE.sub("*", str(path.relative_to(data))) for path in found}


def _of_an_unfinished_tree(path: Path) -> bool:
    """What git keeps beside a build tree known to be unfinished: the next build empties it."""
    own = path.parent
    return own.match("trees/*/*.git") and not own.with_suffix(".commit").exists()


def _helps(message: str) -> bool:
    return bool(_FULL.search(message) and _NEXT.search(message))


def shots(points: Sequence[Point], hits: Sequence[Hit]) -> list[Shot]:
    """Each of these points once; the ways to strike that make a difference there take turns."""
    fitting = [(point.number, [hit for hit in hits if _fits(hit, point)]) for point in points]
    return [Shot(number, ways[number % len(ways)]) for number, ways in fitting if ways]


def _fits(hit: Hit, point: Point) -> bool:
    if hit in REFUSALS:
        return point.needs_space
    return hit == "main" or point.who != "main"


def _fault(shot: Shot, verdict: Verdict) -> Fault:
    if shot.hit == "full":
        return _full_from(shot.number, verdict)

    def strike(tracer: Tracer, point: Point) -> int:
        # A pipe may have been read in fewer pieces than before: the next that fits is as good.
        if verdict.at or point.number < shot.number or not _fits(shot.hit, point):
            return 0
        verdict.at = f"{point.who} {point.call} {point.path}"
        if shot.hit == "once":
            return errno.ENOSPC
        tracer.kill(*_victims(tracer, point, shot.hit))
        return 0

    return strike


def _victims(tracer: Tracer, point: Point, hit: Hit) -> set[int]:
    return {"main": {tracer.pid}, "caller": {point.tid}, "all": tracer.alive}[hit]


def _full_from(number: int, verdict: Verdict) -> Fault:
    healed_at = float("inf")

    def refuse(_tracer: Tracer, point: Point) -> int:
        nonlocal healed_at
        if point.number == number:
            verdict.at = f"{point.who} {point.call} {point.path}"
            healed_at = time.monotonic() + FULL_SECONDS
        is_full = point.number >= number and time.monotonic() < healed_at
        return errno.ENOSPC if is_full and point.needs_space else 0

    return refuse


def verdicts(order: Order) -> Iterator[Verdict]:
    """Fire this process's part of an order."""
    room = Path(tempfile.mkdtemp(dir=order.room))
    campaigns = [Campaign(one, room / one.name) for one in _deliveries(order)]
    aims = [(one, shot) for one in campaigns for shot in shots(one.points(), order.hits)]
    for campaign, shot in spread(aims, order.count)[order.part :: order.parts]:
        yield campaign.fire(shot)


def _deliveries(order: Order) -> list[Delivery]:
    kind = clients if order.kind == "client" else servers
    names = kind.IN_SHORT if order.in_short else kind.SCENARIOS
    if order.kind == "client":
        return [clients.Delivery(name, order.address) for name in names]
    return [servers.made(order.room / "git", order.address, name) for name in names]


def spread(aims: Sequence[T], count: int) -> list[T]:
    """So many of them, spread evenly; 0: all."""
    kept = min(count or len(aims), len(aims))
    return [aims[index * len(aims) // kept] for index in range(kept)]


if __name__ == "__main__":
    if not is_possible():
        sys.exit(IMPOSSIBLE)
    making.BUILD_RETRY_SECONDS = supervising.FIRST_RESTART_SECONDS = RETRY_SECONDS
    for one in verdicts(TypeAdapter(Order).validate_json(sys.argv[1])):
        print(TypeAdapter(Verdict).dump_json(one).decode(), flush=True)  # noqa: T201 -- to the test
