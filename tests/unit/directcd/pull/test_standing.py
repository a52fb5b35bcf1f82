"""What reports come to: what runs, what failed last, what nobody announced."""

from directcd.pull.standing import Lasting, Standing
from tests.support.stages import BEGAN, COMMIT, OTHER, VERSION, failed, fetched, report


def standing_after(*reports: object) -> Standing:
    """How it stands after these."""
    standing = Standing()
    for one in reports:
        standing.ended(one)  # type: ignore[arg-type]
    return standing


def state_of(standing: Standing) -> str:
    """Its state now: a property that changes, unlike what a type checker takes it for."""
    return standing.state


def test_what_runs_is_known_with_its_commits() -> None:
    """A later fetch does not change of what the running version was made."""
    standing = standing_after(
        fetched("start"), report("built"), fetched(commit="f" * 40), report("running")
    )
    assert state_of(standing) == "running"
    assert standing.running
    assert standing.running.version == VERSION
    assert standing.running.commits == (("shop", COMMIT),)


def test_what_an_earlier_life_has_built_is_known_with_its_commits() -> None:
    """It is started before the first look has ended."""
    standing = standing_after(
        report("running"), fetched("start"), report("built", result="unchanged")
    )
    assert standing.running
    assert standing.running.commits == (("shop", COMMIT),)


def test_a_failure_stands_until_its_stage_goes_well() -> None:
    """The old version runs on, and a good look alone heals no build."""
    standing = standing_after(report("running"), failed("built", "no"), fetched())
    assert state_of(standing) == "failed"
    assert standing.running
    standing.ended(report("built"))
    assert state_of(standing) == "running"


def test_the_same_failure_once_more_keeps_its_time() -> None:
    """It is as old as when it was first seen."""
    first = failed("fetched", "no")
    standing = standing_after(first, failed("fetched", "no", ended_at=BEGAN.replace(year=2030)))
    assert standing.failure
    assert standing.failure.at == first.ended_at


def test_another_version_that_is_published_makes_a_roll_back_good() -> None:
    """What runs already is not started again when the push is reverted."""
    rolled_back = failed("running", "no", version=OTHER, result="rolled_back")
    standing = standing_after(report("running"), rolled_back)
    assert state_of(standing) == "failed"
    assert standing.running
    standing.ended(report("published"))
    assert state_of(standing) == "running"


def test_a_version_that_gives_way_does_not_run_any_more() -> None:
    """Nor does anything after a start that failed with nothing to go back to."""
    given_up = failed("running", "ends again and again", result="rolled_back")
    assert standing_after(report("running"), given_up).running is None
    assert standing_after(report("running"), failed("running", "no", version=OTHER)).running is None


def test_a_push_that_only_a_poll_found_is_counted() -> None:
    """Not what was announced."""
    standing = standing_after(fetched("poll"))
    assert standing.is_caught
    standing.ended(fetched("push"))
    assert (standing.is_caught, standing.caught_by_poll) == (False, 1)


def test_a_build_that_takes_its_time_is_the_state_until_it_ends() -> None:
    """Whatever runs, or failed, meanwhile."""
    standing = standing_after(fetched("start"), report("running"))
    standing.lasts(Lasting("built", None, BEGAN))
    assert state_of(standing) == "building"
    standing.ended(report("built", result="unchanged"))
    assert state_of(standing) == "running"


def test_the_end_leaves_nothing_running_unless_the_program_outlives_us() -> None:
    """As it does when only one look was asked for."""
    standing = standing_after(report("running"))
    standing.close()
    assert (state_of(standing), standing.running) == ("stopped", None)
    standing = Standing(outlived=True)
    standing.ended(report("running"))
    standing.close()
    assert state_of(standing) == "running"
