"""What was promised, checked against everything that was pushed, logged and received."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tests.chaos.ledger import Attempt, Push
from tests.chaos.load import Load
from tests.chaos.subscribers import GapSeen, Place, Subscriber
from tests.chaos.world import World, missing

Entry = tuple[Place, str]
SHOWN = 5
NOWHERE = "0-0-000000"
CROSSED_MOST = 0.001  # of all events
RECONNECTING_SECONDS = 3.0  # after a fault of Redis a hub may still be without it


async def failures(world: World, load: Load) -> list[str]:
    """Everything that was promised and is not so, each with what lay around it."""
    log = await world.log()
    found = [*lost(world, load, log), *repeated(world, load, log), *disordered(world, load, log)]
    for subscriber in world.subscribers:
        found += incomplete(world, load, subscriber)
        found += heard_wrongly(world, subscriber)
    found += world.receiver.strangers
    return found


def _about(world: World, push: Push, problem: str) -> str:
    attempts = [*push.attempts, *push.copies]
    began, ended = min(one.began for one in attempts), max(one.ended for one in attempts)
    return f"{problem}: {push}\n    among{world.timeline.around(began, ended)}"


def lost(world: World, load: Load, log: list[Entry]) -> Iterator[str]:
    """Acknowledged, and not in the log."""
    known = {after for _, after in log}
    for push in load.ledger.acknowledged():
        if push.after not in known:
            yield _about(world, push, "lost")


def repeated(world: World, load: Load, log: list[Entry]) -> Iterator[str]:
    """More than once in the log; a few may be where Redis lost what it knew of them."""
    places: defaultdict[str, list[Place]] = defaultdict(list)
    for place, after in log:
        places[after].append(place)
    twice = [after for after, found in places.items() if len(found) > 1]
    crossed = [after for after in twice if _crossed(world, load.ledger.by_after[after])]
    for after in twice:
        if after not in crossed or len(crossed) > CROSSED_MOST * len(places):
            problem = f"{len(places[after])} times in the log, {places[after]}"
            yield _about(world, load.ledger.by_after[after], problem)


def _crossed(world: World, push: Push) -> bool:
    # A fail-over may lose, and a slot that moves may be without, the keys that tell a repeat.
    if not (world.redises.forgetful or world.redises.sharded):
        return False
    attempts = [*push.attempts, *push.copies]
    began, ended = min(one.began for one in attempts), max(one.ended for one in attempts)
    return bool(world.timeline.between(began, ended + RECONNECTING_SECONDS, "redis"))


def disordered(world: World, load: Load, log: list[Entry]) -> Iterator[str]:
    """Acknowledged one after the other by one hub process, and in the log the other way round."""
    first: dict[str, Place] = {}
    for place, after in log:
        first.setdefault(after, place)
    for pushes in load.ledger.of:
        answered = [push for push in pushes if push.after in first]
        for earlier, later in pairwise(answered):
            if _by_one(earlier, later) and first[later.after] < first[earlier.after]:
                problem = f"in the log before the one before, {first[later.after]}"
                yield _about(world, later, f"{problem} < {first[earlier.after]} of {earlier}")


def _by_one(earlier: Push, later: Push) -> bool:
    # A later one that was tried elsewhere, too, may stand there first: nobody promised otherwise.
    tried = {attempt.hub for attempt in (*later.attempts, *later.copies) if _arrived(attempt)}
    return earlier.acknowledged is not None and tried == {earlier.acknowledged.hub}


def _arrived(attempt: Attempt) -> bool:
    return attempt.what != "refused"


def incomplete(world: World, load: Load, subscriber: Subscriber) -> Iterator[str]:
    """Acknowledged, and never heard of."""
    for after in missing(subscriber, load):
        yield _about(world, load.ledger.by_after[after], f"{subscriber.name} never heard of it")


def heard_wrongly(world: World, subscriber: Subscriber) -> Iterator[str]:
    """Heard in another order than the log's, twice, or with a gap that had no reason."""
    if world.redises.forgetful:  # positions are used again
        return
    for earlier, later in pairwise(subscriber.receipts):
        fresh = any(earlier.at <= gap.at <= later.at for gap in subscriber.gaps)
        if later.place <= earlier.place and not fresh:
            around = world.timeline.around(later.at, later.at)
            yield f"{subscriber.name} heard {later} behind {earlier}, among{around}"
    for gap in subscriber.gaps:
        if not _excused(world, gap):
            around = world.timeline.around(gap.at, gap.at)
            yield f"{subscriber.name} was told {gap}, among{around}"


def _excused(world: World, gap: GapSeen) -> bool:
    # Only a hub that was started while Redis was away knows nothing of what was before, and has
    # no cursor to give either.
    if gap.behind == NOWHERE:
        return True
    lives = [life for hub in world.hubs for life in hub.lives if life.label == gap.by]
    return any(
        world.timeline.between(life.started - RECONNECTING_SECONDS, life.ready, "redis")
        for life in lives
    )


def summary(world: World, load: Load) -> str:
    """The run in numbers."""
    attempts = list(load.ledger.attempts())
    answers = Counter(one.status or one.what for one in attempts)
    kinds = Counter(fault.what for fault in world.timeline.faults)
    gaps = {one.name: len(one.gaps) for one in world.subscribers if one.gaps}
    again = {
        one.name: len(one.receipts) - len({receipt.after for receipt in one.receipts})
        for one in world.subscribers
    }
    copies = sum(bool(push.copies) for push in load.ledger.by_after.values())
    waited = sorted(one.ended - one.began for one in attempts if 200 <= one.status < 300)
    times = [round(waited[int((len(waited) - 1) * part)], 3) for part in (0.5, 0.99, 1)]
    posted_again = sum(count - 1 for count in world.receiver.ids.values())
    return "\n".join(
        (
            f"{len(load.ledger.by_after)} webhooks, {copies} of them twice, {dict(answers)}",
            f"seconds until half, 99 %, all were answered: {times}",
            f"{kinds.total()} faults: {dict(kinds)}",
            f"gaps: {gaps}; heard again: {again}; callbacks posted again: {posted_again}",
        )
    )
