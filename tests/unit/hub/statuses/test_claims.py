"""What is said of a commit, from what was reported about its target."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.log.values import Origin, StageReport
from hub.statuses.claims import Claim, claims_of, strongest
from hub.tracing import Trace

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
A, B = "a" * 40, "b" * 40
SHOP = "github.com/acme/shop"
QUARANTINED = (
    "v-0123456789ab is not started again: it exited with status 7 after 0.00 s "
    "(pid 12, which wrote to /var/lib/directcd/client.log, at last: no config)"
)


@dataclass
class Told:
    """What was told of one target, in order."""

    reports: list[StageReport] = field(default_factory=list)
    origins: dict[str, Origin] = field(default_factory=dict)
    at: datetime = NOW

    def push(self, trace: str, commit: str, ref: str = "refs/heads/main") -> "Told":
        """A push, and that a server has heard of it."""
        self.origins[trace] = Origin(f"{SHOP}#{ref}", commit, self.at)
        return self.report(trace, "notified")

    def report(self, trace: str, stage: str, result: str = "ok", **more: Any) -> "Told":
        """A stage, a second after the one before."""
        start, self.at = self.at, self.at + timedelta(seconds=1)
        more = {"reporter": "server"} | more
        one = StageReport("shop", stage, result, start, self.at, trace, **more)
        self.reports.append(one)
        return self

    def fetched(self, trace: str, commit: str, **more: Any) -> "Told":
        """It was fetched, and this was met."""
        return self.report(trace, "fetched", commits=(("shop", commit),), **more)

    def built(self, trace: str, commit: str, version: str) -> "Told":
        """From its fetch until it is offered."""
        self.fetched(trace, commit).report(trace, "built", version=version)
        return self.report(trace, "published", version=version)

    def ran(self, trace: str, version: str, client: str, result: str = "ok", **more: Any) -> "Told":
        """A client has started it, or tried to."""
        return self.report(trace, "running", result, version=version, reporter=client, **more)

    def claims(self, later: timedelta = timedelta(0)) -> dict[str, Claim]:
        """What is to be said, by commit."""
        order = list(dict.fromkeys(one.trace_id for one in self.reports))
        traces = [self._trace(one) for one in order]
        found: dict[str, list[Claim]] = {}
        for claim in claims_of(self.reports, traces, self.at + later):
            found.setdefault(claim.commit, []).append(claim)
        return {commit: strongest(claims) for commit, claims in found.items()}

    def words(self, later: timedelta = timedelta(0)) -> dict[str, str]:
        """The same as text."""
        found = self.claims(later).items()
        return {commit[0]: f"{one.word.state} {one.word.text}" for commit, one in found}

    def _trace(self, trace_id: str) -> Trace:
        own = tuple(one for one in self.reports if one.trace_id == trace_id)
        versions = {one.version for one in own if one.version}
        whole = [one for one in self.reports if one in own or one.version in versions]
        return Trace(trace_id, "shop", self.origins.get(trace_id), tuple(whole))


def one_push() -> Told:
    """A push that a server has heard of."""
    return Told().push("1", A)


def with_clients(*names: str) -> Told:
    """A target whose version v-0 runs at these clients."""
    told = Told().built("0", "0" * 40, "v-0")
    for name in names:
        told.ran("0", "v-0", name)
    return told


@pytest.mark.parametrize(
    ("told", "word"),
    [
        (one_push(), "pending fetching"),
        (one_push().fetched("1", A), "pending building"),
        (one_push().fetched("1", A).report("1", "built", version="v-1"), "pending publishing v-1"),
        (one_push().built("1", A, "v-1"), "success built v-1"),
        (
            with_clients("c1", "c2").push("1", A).built("1", A, "v-1"),
            "pending built v-1; running on 0/2 clients",
        ),
        (
            with_clients("c1", "c2").push("1", A).built("1", A, "v-1").ran("1", "v-1", "c1"),
            "pending built v-1; running on 1/2 clients",
        ),
        (
            one_push().built("1", A, "v-1").ran("1", "v-1", "c1").ran("1", "v-1", "c2"),
            "success running on 2/2 clients",
        ),
        (one_push().built("1", A, "v-1").ran("1", "v-1", "c1"), "success running on 1/1 client"),
        (
            one_push()
            .fetched("1", A)
            .report("1", "built", "failed", version="v-1", message="build ended with 1\nno main\n"),
            "failure building failed: no main",
        ),
        (
            one_push().report("1", "fetched", "failed", message="no route to host"),
            "failure fetching failed: no route to host",
        ),
        (
            one_push().built("1", A, "v-1").ran("1", "v-1", "c1", "rolled_back", message="sick"),
            "failure rolled back: sick",
        ),
        (
            one_push()
            .built("1", A, "v-1")
            .ran("1", "v-1", "c1", "rolled_back")
            .ran("1", "v-1", "c1", "quarantined", message="not started again")
            .ran("1", "v-1", "c2"),
            "failure quarantined: not started again",
        ),
        (
            one_push()
            .built("1", A, "v-1")
            .ran("1", "v-1", "c1", "quarantined", message=QUARANTINED),
            "failure quarantined: it exited with status 7 after 0.00 s (at last: no config)",
        ),
        (
            one_push().built("1", A, "v-1").ran("1", "v-1", "c1", "failed").ran("1", "v-1", "c1"),
            "success running on 1/1 client",
        ),
        (
            one_push()
            .fetched("1", A)
            .report("1", "built", "failed", version="v-1", message="disk full")
            .report("1", "built", version="v-1")
            .report("1", "published", version="v-1"),
            "success built v-1",
        ),
    ],
)
def test_a_push_is_told_by_how_far_it_has_come(told: Told, word: str) -> None:
    """From the first that is heard of it until all clients run it; a failure stays until mended."""
    assert told.words()["a"] == word


def test_a_push_that_was_never_built_is_ended_by_the_one_that_took_its_place() -> None:
    """Not before, and only if it was begun."""
    told = one_push().push("2", B).report("1", "fetched", "skipped", message="superseded by bbb")
    claim = told.claims()[A]
    assert (claim.word.state, claim.word.text) == ("success", "superseded by bbbbbbb")
    assert claim.word.when == "to end"


def test_a_push_whose_server_died_is_ended_by_the_next_that_is_offered() -> None:
    """Nothing more will come of it."""
    told = one_push().fetched("1", A).push("2", B)
    assert told.words()["a"] == "pending building"
    told.built("2", B, "v-2")
    assert told.words() == {"a": "success superseded by bbbbbbb", "b": "success built v-2"}


def test_a_version_that_not_all_clients_came_to_run_is_ended_by_the_next() -> None:
    """They will run that."""
    told = with_clients("c1", "c2").push("1", A).built("1", A, "v-1").ran("1", "v-1", "c1")
    told.push("2", B).built("2", B, "v-2")
    assert told.words()["a"] == "success superseded by bbbbbbb"
    assert told.words()["b"] == "pending built v-2; running on 0/2 clients"


def test_a_failure_is_not_mended_by_the_next_version() -> None:
    """That commit was no good."""
    told = one_push().fetched("1", A).report("1", "built", "failed", version="v-1")
    told.push("2", B).built("2", B, "v-2")
    assert told.words() == {"a": "failure building failed", "b": "success built v-2"}


def test_a_commit_that_a_push_did_not_announce_is_told_of_and_the_announced_one_ended() -> None:
    """The ref had moved on when it was fetched."""
    told = one_push().built("1", B, "v-2")
    assert told.words() == {"a": "success superseded by bbbbbbb", "b": "success built v-2"}
    assert told.claims()[B].is_key


def test_a_failure_is_that_of_the_commit_that_was_fetched() -> None:
    """Not of the announced one, which nobody has tried."""
    told = one_push().fetched("1", B).report("1", "built", "failed", version="v-2", message="no")
    assert told.words() == {
        "a": "success superseded by bbbbbbb",
        "b": "failure building failed: no",
    }


def test_a_commit_that_git_never_shows_has_failed_though_another_one_is_built() -> None:
    """What there was to see meanwhile says nothing of it."""
    told = Told().built("0", B, "v-2").ran("0", "v-2", "c1").push("1", A)
    told.report("1", "fetched", "unchanged")
    told.report("1", "fetched", "failed", message="it is not shown")
    told.report("1", "built", "unchanged", version="v-2")
    assert told.words()["a"] == "failure fetching failed: it is not shown"
    assert told.words()["b"] == "success running on 1/1 client"


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_a_test_push_of_what_runs_changes_nothing(stages: int) -> None:
    """It has nothing new to tell."""
    told = one_push().built("1", A, "v-1").ran("1", "v-1", "c1")
    told.push("2", A)
    told.report("2", "fetched", "unchanged").report("2", "built", "unchanged", version="v-1")
    told.reports = told.reports[: 5 + stages]
    assert told.words() == {"a": "success running on 1/1 client"}


def test_an_old_push_delivered_late_changes_nothing_of_the_newer_one() -> None:
    """Git shows the newer commit."""
    told = Told().built("0", B, "v-2").ran("0", "v-2", "c1").push("1", A)
    told.report("1", "fetched", "unchanged").report("1", "built", "unchanged", version="v-2")
    found = told.claims()
    assert found[A].word.when == "to end"
    assert found[B].word.text == "running on 1/1 client"


def test_a_commit_that_comes_back_is_told_anew() -> None:
    """The branch was set back, and the clients follow."""
    told = one_push().built("1", A, "v-1").ran("1", "v-1", "c1")
    told.push("2", B).built("2", B, "v-2").ran("2", "v-2", "c1")
    told.push("3", A).fetched("3", A).report("3", "built", "unchanged", version="v-1")
    told.report("3", "published", version="v-1")
    assert told.words()["a"] == "pending built v-1; running on 0/1 client"
    assert told.claims()[B].word.when == "to end"
    told.ran("1", "v-1", "c1")
    assert told.words()["a"] == "success running on 1/1 client"


def test_a_tag_is_told_of_by_the_commit_that_was_fetched() -> None:
    """What is announced may be an object of its own."""
    told = Told().push("1", B, "refs/tags/v1")
    assert told.words() == {}
    told.built("1", A, "v-1")
    assert told.words()["a"] == "success built v-1"
    assert told.claims()[B].word.when == "to end"


def test_what_only_a_poll_has_found_is_told_by_its_name() -> None:
    """With the bounds of who has reported it."""
    told = Told().fetched("1", A, is_caught=True, bounds=("github.com/acme/*",))
    [claim] = told.claims().values()
    assert (claim.repository, claim.is_key, claim.word.text) == ("shop", False, "building")
    assert claim.bounds == ("github.com/acme/*",)


def test_a_server_that_starts_and_finds_all_built_says_nothing() -> None:
    """It looks at everything once."""
    assert Told().fetched("1", A).words() == {}
    assert Told().built("1", A, "v-1").words() == {"a": "success built v-1"}


def test_a_deleted_ref_has_no_commit() -> None:
    """There is nothing to say it of."""
    told = one_push()
    told.origins["1"] = Origin(f"{SHOP}#refs/heads/main", None, NOW)
    assert told.words() == {}


def test_a_client_that_ignores_a_version_for_a_day_does_not_count_any_more() -> None:
    """And not sooner; one that runs the newest for weeks does."""
    told = with_clients("c1", "c2")
    told.at += timedelta(days=20)
    told.push("1", A).built("1", A, "v-1").ran("1", "v-1", "c1")
    assert told.words(timedelta(hours=23))["a"] == "pending built v-1; running on 1/2 clients"
    assert told.words(timedelta(hours=25))["a"] == "success running on 1/1 client"
    told.push("2", B).built("2", B, "v-2")
    assert told.words(timedelta(hours=1))["b"] == "pending built v-2; running on 0/2 clients"
    told.at += timedelta(hours=25)
    told.ran("2", "v-2", "c1")
    assert told.words()["b"] == "success running on 1/1 client"


def test_one_process_that_is_server_and_client_is_not_mended_by_its_own_build() -> None:
    """In direct pulling they have one name."""
    told = one_push().built("1", A, "v-1").ran("1", "v-1", "server", "rolled_back", message="sick")
    told.push("2", A).report("2", "built", "unchanged", version="v-1")
    assert told.words()["a"] == "failure rolled back: sick"
