"""The way of a push as text."""

import pytest

from directcd.journey import BAR_CHARACTERS, Stage, Timeline, lines


def timeline(*stages: Stage, state: str = "running", target: str | None = "shop") -> Timeline:
    """A push of two seconds."""
    return Timeline(
        target=target,
        repository="git.test/acme/shop",
        ref="refs/heads/main",
        commit="c" * 40,
        version="v-1",
        delivery=7,
        is_caught=False,
        state=state,
        total_ms=2000.0,
        stages=stages,
    )


def stage(name: str, start: float, end: float, result: str = "ok", message: str = "") -> Stage:
    """A stage."""
    return Stage(
        stage=name,
        result=result,
        started_ms=start,
        ended_ms=end,
        reporter="server",
        message=message,
    )


def test_bars_have_the_length_of_their_stage_and_stand_where_it_was() -> None:
    """A stage that took no time is seen all the same."""
    stages = (stage("received", 0, 0), stage("fetched", 0, 1000), stage("built", 1000, 2000))
    heading, received, fetched, built, end = lines(timeline(*stages))
    assert heading.split() == [
        *("shop", "git.test/acme/shop", "refs/heads/main", "c" * 12, "v-1", "(delivery", "7)")
    ]
    assert [one.count("#") for one in (received, fetched, built)] == [1, 20, 20]
    assert built.index("#") - fetched.index("#") == BAR_CHARACTERS // 2
    assert end.strip() == "running after 2.0 s"


@pytest.mark.parametrize(
    ("state", "failed", "step"),
    [
        ("failed", "built", "builds list shop"),
        ("failed", "fetched", "doctor"),
        ("failed", "running", "last message"),
        ("skipped", "fetched", "newer push"),
        ("built", "published", "no client"),
        ("rolled back", "running", "versions list shop"),
        ("quarantined", "running", "push a version"),
        ("under way", "notified", "whether the server is well"),
        ("unchanged", "built", "nothing had to"),
    ],
)
def test_who_looks_is_told_what_to_do(state: str, failed: str, step: str) -> None:
    """Each way of not running has its next step."""
    result = "failed" if state == "failed" else "ok"
    assert step in [*lines(timeline(stage(failed, 0, 1, result), state=state))][-1]


def test_a_push_that_no_server_heard_of_leads_to_its_explanation() -> None:
    """By the number of its delivery."""
    *_, end = lines(timeline(stage("received", 0, 0), state="under way", target=None))
    assert "directcd explain 7" in end


def test_nothing_in_it_moves_a_terminals_cursor() -> None:
    """A message is a stranger's text: it stays on its line."""
    text = "\n".join(lines(timeline(stage("built", 0, 1, "failed", "a\x1b[2J\nb\u202ec"))))
    assert "a bc" in text
    assert "\x1b" not in text
