"""Timelines: one push, its stages, and what another look did for it."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.log.values import Origin, StageReport
from hub.timelines import MOST_SAID, timeline
from hub.tracing import Trace, trace_id_of

NOW = datetime(2026, 5, 1, tzinfo=UTC)
PUSH = Origin("git.test/a%23b#refs/heads/main", "c" * 40, NOW, NOW + timedelta(milliseconds=3), 7)


def report(stage: str, seconds: float, result: str = "ok", message: str = "") -> StageReport:
    """A stage of version v-1 that took half a second."""
    end = NOW + timedelta(seconds=seconds)
    start = end - timedelta(seconds=0.5)
    return StageReport("shop", stage, result, start, end, "0" * 32, "v-1", message, "server")


def trace(*reports: StageReport, origin: Origin | None = PUSH) -> Trace:
    """A trace with or without a push behind it."""
    return Trace("0" * 32, "shop", origin, reports)


def test_stages_stand_in_order_with_their_distance_from_the_push() -> None:
    """Received is nought; reports may arrive in any order; the total is where the last one ends."""
    line = timeline(trace(report("built", 2), report("fetched", 1)))
    assert [(s["stage"], s["started_ms"], s["ended_ms"]) for s in line["stages"]] == [
        ("received", 0.0, 0.0),
        ("stored", 0.0, 3.0),
        ("fetched", 500.0, 1000.0),
        ("built", 1500.0, 2000.0),
    ]
    assert line["total_ms"] == 2000.0


def test_a_line_names_what_was_pushed_and_with_which_delivery() -> None:
    """A `#` in a repository's name is not where its ref begins."""
    line = timeline(trace(report("fetched", 1)))
    named = (line["repository"], line["ref"], line["commit"], line["delivery"], line["version"])
    assert named == ("git.test/a#b", "refs/heads/main", "c" * 40, 7, "v-1")


def test_what_only_a_poll_has_found_is_named_by_what_it_has_fetched() -> None:
    """The time counts from its first stage."""
    at = NOW + timedelta(seconds=1)
    commits = (("lib", "d" * 40),)
    fetched = StageReport(
        "shop", "fetched", "ok", NOW, at, "0" * 32, is_caught=True, commits=commits
    )
    line = timeline(trace(fetched, origin=None))
    assert (line["repository"], line["commit"], line["is_caught"]) == ("lib", "d" * 40, True)
    assert (line["started_at"], line["total_ms"]) == (NOW.isoformat(), 1000.0)


def test_an_unchanged_stage_gives_way_to_the_one_that_did_the_work() -> None:
    """A look that met the commit first has built it; the push's own look found it built."""
    line = timeline(trace(report("built", 1, "unchanged"), report("built", 0.5)))
    assert [s["result"] for s in line["stages"] if s["stage"] == "built"] == ["ok"]


def test_a_clock_that_is_behind_makes_no_negative_time() -> None:
    """A server's clock may be before the hub's: the line begins with what came first."""
    line = timeline(trace(report("fetched", -2)))
    assert min(stage["started_ms"] for stage in line["stages"]) == 0.0


@pytest.mark.parametrize(
    ("reports", "state"),
    [
        ((), "unheard"),
        ((report("notified", 1),), "under way"),
        ((report("fetched", 1, "skipped"),), "skipped"),
        ((report("fetched", 1), report("built", 2, "failed")), "failed"),
        ((report("built", 1, "failed"), report("built", 2), report("published", 3)), "built"),
        ((report("built", 2, "unchanged"),), "unchanged"),
        ((report("published", 1), report("running", 2)), "running"),
        ((report("running", 2, "rolled_back"), report("published", 1)), "rolled back"),
        ((report("running", 2, "quarantined"),), "quarantined"),
    ],
)
def test_the_last_word_says_how_it_stands(reports: tuple[StageReport, ...], state: str) -> None:
    """In the order of time, whatever the order in which they came."""
    assert timeline(trace(*reports))["state"] == state


def test_a_long_message_is_cut() -> None:
    """Every push of a version tells of its failure; all of it stands where the target failed."""
    [_, _, stage] = timeline(trace(report("built", 1, "failed", "x" * 4_000)))["stages"]
    assert len(stage["message"]) == MOST_SAID


@pytest.mark.parametrize(
    ("reports", "step"),
    [
        ((), "directcd explain 7"),
        ((report("notified", 1),), "that server is well"),
        ((report("fetched", 1, "skipped"),), "a newer push took its place"),
        ((report("fetched", 1, "failed"),), "where server runs"),
        ((report("built", 1, "failed"),), "directcd builds rebuild shop"),
        ((report("downloaded", 1, "failed"),), "see the log of server"),
        ((report("built", 2, "unchanged"),), "nothing to do"),
        ((report("published", 1),), "a client is started for shop"),
        (
            (report("running", 2, "rolled_back"), report("published", 1)),
            "meanwhile the version before it",
        ),
        ((report("running", 2, "quarantined"),), "printed at server"),
    ],
)
def test_each_way_of_not_running_has_its_next_step(
    reports: tuple[StageReport, ...], step: str
) -> None:
    """With the names of whoever it is about."""
    assert step in timeline(trace(*reports))["next"]


def test_what_runs_needs_nothing() -> None:
    """The next step is empty."""
    assert timeline(trace(report("running", 1)))["next"] == ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"00-{'a' * 32}-{'b' * 16}-01", "a" * 32),
        (f"00-{'A' * 32}-{'b' * 16}-01", None),
        ("", None),
    ],
)
def test_a_trace_is_named_by_its_traceparent(text: str, found: str | None) -> None:
    """Lower-case hex in four fields, or nothing."""
    assert trace_id_of(text) == found
