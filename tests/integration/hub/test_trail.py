"""What the hub tells of targets and pushes, from the reports it was sent."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.caught import caught_hint, known_of
from hub.finding import find
from hub.log.refused import Refusal
from hub.log.sqlite import SqliteLog
from hub.log.values import NewEvent, StageReport
from hub.standing import standing, standings
from hub.timelines import timeline
from hub.tracing import MOST_STAGES, traces
from tests.support.events import NOW, SUBJECT, event, record

COMMIT = "c" * 40
LATER = "d" * 40
LEFT = "e" * 40


@dataclass
class Trail:
    """A log, and whoever reports to it."""

    log: SqliteLog
    seconds: float = 0.0

    async def push(self, trace: str, commit: str = COMMIT) -> None:
        """A delivery that moves the ref, in a trace of its own."""
        pushed: NewEvent = replace(
            event(commit, trace), trace_id=trace * 32, event_id=f"{SUBJECT} {trace}"
        )
        delivery = replace(
            record(self.now),
            delivery_id=f"guid-{trace}",
            explanation={
                "reason": "news",
                "event": {"repository": "github.com/acme/shop", "ref": "refs/heads/main"},
                "changes": [{"ref": "refs/heads/main", "before": LEFT, "after": commit}],
            },
            details=f'{{"trace_ids": ["{trace * 32}"]}}'.encode(),
        )
        await self.log.append(delivery, [pushed])

    async def report(self, trace: str, stage: str, result: str = "ok", **rest: Any) -> None:
        """A stage that took a second, after all others."""
        start, self.seconds = self.now, self.seconds + 1
        rest = {"target": "shop", "reporter": "server", "version": "v-1"} | rest
        told = StageReport(
            stage=stage,
            result=result,
            started_at=start,
            ended_at=self.now,
            trace_id=trace * 32,
            **rest,
        )
        await self.log.report(told)

    @property
    def now(self) -> datetime:
        """The time of the last report."""
        return NOW + timedelta(seconds=self.seconds)


@pytest.fixture
async def trail(tmp_path: Path) -> AsyncIterator[Trail]:
    """Nothing pushed yet."""
    log = SqliteLog(tmp_path / "log")
    await log.open()
    yield Trail(log)
    await log.close()


async def test_a_look_without_push_is_part_of_the_push_that_announced_its_version(
    trail: Trail,
) -> None:
    """A poll may meet a commit a moment before its webhook: one change is one line."""
    await trail.report("e", "built")
    assert len(await traces(trail.log, "shop", 10)) == 1
    await trail.push("a")
    await trail.report("a", "built", "unchanged")
    [found] = await traces(trail.log, "shop", 10)
    assert (found.trace_id, [one.result for one in found.reports]) == (
        "a" * 32,
        ["ok", "unchanged"],
    )


async def test_what_was_done_long_before_belongs_to_another_push(trail: Trail) -> None:
    """The branch went back to a commit that was built a while ago."""
    await trail.report("a", "built")
    trail.seconds += 60
    await trail.push("b")
    await trail.report("b", "built", "unchanged")
    first, second = await traces(trail.log, "shop", 10)
    assert [one.result for one in second.reports] == ["unchanged"]
    assert first.trace_id == "a" * 32


async def test_a_push_that_was_fetched_later_runs(trail: Trail) -> None:
    """The look that reached the repository at last, without a push of its own, is part of it."""
    await trail.push("a")
    await trail.report("a", "fetched", "failed", version=None)
    await trail.report("b", "fetched", version=None, commits=(("shop", COMMIT),))
    await trail.report("b", "published")
    await trail.report("c", "fetched", version=None, commits=(("shop", LATER),))
    await trail.report("c", "published", version="v-2")
    pushed, other = [timeline(one) for one in await traces(trail.log, "shop", 5)]
    assert (pushed["state"], pushed["version"], other["version"]) == ("built", "v-1", "v-2")


@pytest.mark.parametrize("needle", [COMMIT, "1", "a" * 32])
async def test_a_push_that_reached_nobody_is_followed_to_the_look_that_met_it(
    trail: Trail, needle: str
) -> None:
    """The server was away, and looked when it was started again."""
    await trail.push("a")
    await trail.report("b", "fetched", version=None, commits=(("shop", COMMIT),))
    await trail.report("b", "published")
    await trail.report("b", "running", reporter="client")
    [line] = await find(trail.log, needle)
    assert (line["trace_id"], line["delivery"], line["state"]) == ("a" * 32, 1, "running")


async def test_of_very_many_stages_the_newest_are_told(trail: Trail) -> None:
    """A thousand clients may run one version, and each push of it would tell of all of them."""
    await trail.push("a")
    for number in range(MOST_STAGES + 1):
        await trail.report("a", "running", reporter=f"client {number}")
    [found] = await traces(trail.log, "shop", 5)
    assert len(found.reports) == MOST_STAGES
    assert found.reports[-1].reporter == f"client {MOST_STAGES}"


async def test_what_a_push_set_off_is_not_what_its_next_delivery_does(trail: Trail) -> None:
    """Delivered again a moment later, it finds all done, and says so."""
    await trail.push("a")
    await trail.report("a", "built")
    trail.seconds += 1
    await trail.push("b")
    await trail.report("b", "built", "unchanged")
    first, again = await traces(trail.log, "shop", 10)
    assert [one.result for one in first.reports] == ["ok"]
    assert [one.result for one in again.reports] == ["unchanged"]


async def test_a_report_that_came_twice_is_told_once(trail: Trail) -> None:
    """Its first answer was lost, and it was sent again."""
    for _ in range(2):
        trail.seconds = 0
        await trail.report("a", "built")
    [found] = await traces(trail.log, "shop", 10)
    assert len(found.reports) == 1


async def test_a_target_stands_as_its_clients_last_said(trail: Trail) -> None:
    """What each runs, how many run the newest, and how long the push took to the first."""
    await trail.push("a")
    await trail.report("a", "published")
    await trail.report("a", "running", reporter="west")
    await trail.report("b", "running", reporter="east", version="v-0")
    found = await standing(trail.log, "shop")
    assert found["newest"] == {
        "version": "v-1",
        "commit": COMMIT,
        "at": (NOW + timedelta(seconds=1)).isoformat(),
    }
    assert [(c["client"], c["version"]) for c in found["running"]] == [
        ("east", "v-0"),
        ("west", "v-1"),
    ]
    assert found["clients"] == {"running_newest": 1, "all": 2}
    assert found["push_to_running_ms"] == [2000.0]
    assert found["last_failure"] is None


@pytest.mark.parametrize("years", [-20, 7_900])
async def test_a_clients_wrong_clock_hides_no_other_from_the_way(trail: Trail, years: int) -> None:
    """How long the push took is told by the one whose clock goes right."""
    await trail.push("a")
    await trail.report("a", "published")
    right, trail.seconds = trail.seconds, trail.seconds + years * 365.25 * 86_400
    await trail.report("a", "running", reporter="west")
    assert (await standing(trail.log, "shop"))["push_to_running_ms"] == []
    trail.seconds = right
    await trail.report("a", "running", reporter="east")
    assert (await standing(trail.log, "shop"))["push_to_running_ms"] == [2000.0]


async def test_a_client_that_rolled_back_runs_what_it_ran_before(trail: Trail) -> None:
    """And the target's last failure says why."""
    await trail.report("a", "running", reporter="west")
    await trail.report("b", "running", "rolled_back", reporter="west", version="v-2", message="ill")
    found = await standing(trail.log, "shop")
    [client] = found["running"]
    assert (client["version"], client["state"], client["message"]) == ("v-1", "rolled back", "ill")
    assert (found["last_failure"]["stage"], found["last_failure"]["message"]) == ("running", "ill")


@pytest.mark.parametrize(
    ("later", "mended"),
    [("notified", False), ("fetched", True), ("built", True), ("running", True)],
)
async def test_what_went_well_later_mends_a_failure(
    trail: Trail, later: str, *, mended: bool
) -> None:
    """A stage that is as far on, or further."""
    await trail.report("a", "fetched", "failed", message="no route")
    await trail.report("b", later)
    assert ((await standing(trail.log, "shop"))["last_failure"] is None) is mended


async def test_what_another_does_mends_nothing(trail: Trail) -> None:
    """A client that starts again what ran before, while the server cannot fetch; another server."""
    await trail.report("a", "running", reporter="west")
    await trail.report("b", "fetched", "failed", message="no route")
    await trail.report("a", "running", reporter="west")
    await trail.report("c", "built", reporter="other")
    assert (await standing(trail.log, "shop"))["state"] == "fetching failed"


async def test_the_old_version_started_again_does_not_mend_the_new_one(trail: Trail) -> None:
    """Only another new one does."""
    await trail.report("a", "running", version="v-1")
    await trail.report("b", "running", "quarantined", version="v-2")
    await trail.report("a", "running", version="v-1")
    assert (await standing(trail.log, "shop"))["state"] == "quarantined"
    await trail.report("c", "running", version="v-3")
    assert (await standing(trail.log, "shop"))["state"] == "running"


async def test_a_delivery_told_again_changes_nothing_of_how_a_target_stands(trail: Trail) -> None:
    """Neither which commit the newest version is of, nor that it runs."""
    await trail.push("a")
    await trail.report("a", "published")
    await trail.report("a", "running")
    trail.seconds += 60
    await trail.push("b", LATER)
    await trail.report("b", "built", "unchanged")
    found = await standing(trail.log, "shop")
    assert (found["newest"]["commit"], found["state"]) == (COMMIT, "running")


async def test_the_target_reported_about_last_comes_first(trail: Trail) -> None:
    """Of any number."""
    for name in ("shop", "blog", "shop", "wiki", "shop"):
        await trail.report("a", "built", target=name)
    assert [one["target"] for one in await standings(trail.log)] == ["shop", "wiki", "blog"]


@pytest.mark.parametrize("needle", [COMMIT, COMMIT[:7], "guid-a", "1", "v-1", "a" * 32])
async def test_a_push_is_found_by_whatever_a_person_has(trail: Trail, needle: str) -> None:
    """Commit, its beginning, delivery, its number, version, trace."""
    await trail.push("a")
    await trail.report("a", "built")
    await trail.report("b", "built", version="v-2")
    [line] = await find(trail.log, needle)
    assert (line["trace_id"], line["target"], line["state"]) == ("a" * 32, "shop", "under way")


@pytest.mark.parametrize("needle", [COMMIT[:6], "guid", "github.com", "v-", "9", "", "%"])
async def test_a_part_of_a_word_finds_nothing(trail: Trail, needle: str) -> None:
    """It would be a guess."""
    await trail.push("a")
    await trail.report("a", "built")
    assert await find(trail.log, needle) == []


async def test_a_push_is_not_found_by_what_it_left(trail: Trail) -> None:
    """The commit a ref was moved away from belongs to another push."""
    await trail.push("a")
    delivery = await trail.log.deliveries(1, None)
    assert delivery[0]["explanation"]["changes"][0]["before"] == LEFT
    assert await find(trail.log, LEFT) == []


async def test_a_push_that_nobody_reported_about_is_found_as_well(trail: Trail) -> None:
    """It was received, and nobody wanted it."""
    await trail.push("a")
    [line] = await find(trail.log, COMMIT)
    assert (line["target"], line["delivery"], line["state"]) == (None, 1, "unheard")
    assert [stage["stage"] for stage in line["stages"]] == ["received", "stored"]


async def test_what_only_a_poll_has_found_is_found_by_its_commit(trail: Trail) -> None:
    """Nobody delivered it; the server told what it fetched."""
    await trail.report("e", "fetched", version=None, is_caught=True, commits=(("shop", LATER),))
    [line] = await find(trail.log, LATER[:12])
    assert (line["commit"], line["is_caught"]) == (LATER, True)


async def hint(trail: Trail) -> str:
    """Why the shop was caught by a poll."""
    return caught_hint(await standing(trail.log, "shop"), await known_of(trail.log))


CAUGHT: dict[str, Any] = {"is_caught": True, "commits": (("shop", LATER),)}


async def test_the_likeliest_cause_of_what_a_poll_caught_is_told(trail: Trail) -> None:
    """No webhook at all; or one of many deliveries that did not come; or one that came late."""
    await trail.report("e", "fetched", **CAUGHT)
    found = await standing(trail.log, "shop")
    assert (found["caught_by_poll"], found["caught_at"]) == (1, trail.now.isoformat())
    assert "create the webhook" in await hint(trail)
    await trail.push("a")
    assert "this one not" in await hint(trail)
    await trail.push("b", LATER)
    assert "came after the poll" in await hint(trail)


def refusal(seconds: float, source: str = "main", status: int = 401) -> Refusal:
    """A delivery that was refused at a time."""
    at = NOW + timedelta(seconds=seconds)
    path = f"/webhooks/github/{source}"
    words = ("code", "it does not match", "give it the secret", "192.0.2.1")
    return Refusal(at, at, path, "github", source, status, *words, (), 0, {})


@pytest.mark.parametrize(
    ("refused", "is_blamed"),
    [
        (refusal(59), True),
        (refusal(59, "other"), False),
        (refusal(59, status=404), False),
        (refusal(62), False),
        (refusal(-660), False),
        (refusal(-1), False),
    ],
    ids=["before", "of another source", "a stranger's", "after", "long before", "over since"],
)
async def test_only_a_refusal_that_fits_is_blamed(
    trail: Trail, refused: Refusal, *, is_blamed: bool
) -> None:
    """Shortly before, at a source that this repository uses, and none was accepted since."""
    await trail.push("a")
    trail.seconds = 60
    await trail.report("e", "fetched", **CAUGHT)
    await trail.log.refuse([refused])
    assert ("refused shortly before" in await hint(trail)) is is_blamed


async def test_what_was_taken_since_a_refusal_clears_it_for_good(trail: Trail) -> None:
    """Also when more was taken after the poll."""
    await trail.log.refuse([refusal(10)])
    trail.seconds = 20
    await trail.push("a", LEFT)
    trail.seconds = 60
    await trail.report("e", "fetched", **CAUGHT)
    await trail.push("b", LATER)
    assert "refused shortly before" not in await hint(trail)


async def test_who_was_never_caught_gets_no_hint(trail: Trail) -> None:
    """There is nothing to explain."""
    await trail.report("a", "built")
    assert await hint(trail) == ""
