"""
Many subscriptions in one hub: what each takes, and what a push has to do with them.

The reference is a dict that has one entry for each, looked up once. Most repositories have a name
of their own; a thousand are named alike, by as many owners, because what was probably meant is
looked for by the last word. Memory is this process's; CPU is the median of several rounds.
"""

import gc
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hub.log.values import SubscriptionRow
from hub.matching import Index
from hub.rules import from_row

SUBSCRIPTIONS = 100_000
ALIKE = 1_000
ROUNDS = 9
CALLS = 300
FAR = datetime(2100, 1, 1, tzinfo=UTC)


def row(number: int) -> SubscriptionRow:
    """A subscription to one branch of one repository, as the log has it."""
    name = "docs" if number < ALIKE else f"app-{number}"
    wants = [{"url": f"https://git.example.com/team-{number}/{name}.git", "ref": "main"}]
    return SubscriptionRow(f"sub_{number:024x}", f"s{number}", {"repositories": wants}, FAR)


def resident_kib() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4.0


def cost_us(function: Callable[[], object]) -> float:
    """CPU of one call."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(CALLS):
            function()
        rounds.append((time.process_time() - began) / CALLS * 1e6)
    return statistics.median(rounds)


def look_us(index: Index, key: str) -> float:
    """CPU of finding whom a push to the main branch of a repository is for."""
    keys, refs, now = frozenset({key}), ["refs/heads/main"], datetime.now(UTC)
    return cost_us(lambda: index.match(keys, refs, now))


def main() -> None:
    """Make them, and look for some."""
    gc.collect()
    before, index = resident_kib(), Index()
    rows = [row(number) for number in range(SUBSCRIPTIONS)]  # a hub keeps these, too
    for one in rows:
        index.put(from_row(one))
    each = (resident_kib() - before) / SUBSCRIPTIONS
    print(f"{SUBSCRIPTIONS:,} subscriptions, {each:.2f} KiB each; whom is a push for")
    plain = {one.name: one for one in rows}
    least = cost_us(lambda: plain.get("s77777"))
    for what, key in {
        "to a repository that one wants": f"git.example.com/team-{ALIKE}/app-{ALIKE}",
        "to one that nobody wants": "git.example.com/team-0/nothing",
        f"to one of {ALIKE:,} named alike": "git.example.com/team-7/docs",
    }.items():
        found = look_us(index, key)
        print(f"{what:>32}: {found:8.1f} us, {found / least:,.0f} times a dict's")


if __name__ == "__main__":
    main()
