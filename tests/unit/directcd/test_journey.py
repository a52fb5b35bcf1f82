"""The way of a push as text."""

from directcd.journey import BAR_CHARACTERS, MESSAGE_LINES, Stage, Timeline, lines


def timeline(*stages: Stage, state: str = "running", step: str = "") -> Timeline:
    """A push of two seconds."""
    return Timeline(
        target="shop",
        repository="git.test/acme/shop",
        ref="refs/heads/main",
        commit="c" * 40,
        version="v-1",
        delivery=7,
        is_caught=False,
        state=state,
        next=step,
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


def test_who_looks_is_told_what_to_do() -> None:
    """In the hub's words, behind where it stopped."""
    failed = timeline(stage("built", 0, 1, "failed"), state="failed", step="read the log")
    *_, end = lines(failed)
    assert end.strip() == "failed at built: read the log"


def test_nothing_in_it_moves_a_terminals_cursor() -> None:
    """A message is a stranger's text: it stays below its stage."""
    _, _, *said, _ = lines(timeline(stage("built", 0, 1, "failed", "a\x1b[2J\r\nb\u202ec")))
    assert [one.strip() for one in said] == ["a", "bc"]
    assert all(one.startswith(" ") for one in said)


def test_of_a_long_message_the_beginning_is_shown() -> None:
    """Where a build's first error is; no line runs on for ever either."""
    message = "\n".join(["e" * 10_000, *(f"line {number}" for number in range(100))])
    _, _, first, *said, _ = lines(timeline(stage("built", 0, 1, "failed", message)))
    assert len(first) < 400
    assert len(said) == MESSAGE_LINES
    assert said[-1].strip() == "(89 more lines)"
