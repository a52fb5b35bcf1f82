"""The way of a push as text for people: a line a stage with its bar, and where it stopped."""

from collections.abc import Iterator

from pydantic import BaseModel

from directcd.terminal import line
from hub.dashboard.text import duration, short

BAR_CHARACTERS = 40
MESSAGE_LINES = 12
"""Of a failed build these hold the first error; the rest is in its log."""

MESSAGE_CHARACTERS = 300  # of a line: what a compiler says of one error


class Stage(BaseModel):
    """One stage of the way."""

    stage: str
    result: str
    started_ms: float
    ended_ms: float
    reporter: str
    message: str


class Timeline(BaseModel):
    """One push, or what only a poll has found."""

    target: str | None
    repository: str | None
    ref: str | None
    commit: str | None
    version: str | None
    delivery: int | None
    is_caught: bool
    state: str
    next: str = ""  # a hub of an earlier version says none
    total_ms: float
    stages: tuple[Stage, ...]


def lines(timeline: Timeline, block: str = "#") -> Iterator[str]:
    """
    A push as text; nothing in it moves a terminal's cursor.

    Args:
        timeline: as the hub tells it.
        block: what a bar is made of.
    """
    yield line(_heading(timeline))
    for stage in timeline.stages:
        yield _stage(stage, timeline.total_ms, block)
        yield from _said(stage.message)
    yield f"    {line(_outcome(timeline))}"


def _heading(timeline: Timeline) -> str:
    about = [timeline.target or "no target", timeline.repository, timeline.ref]
    named = [*about, short(timeline.commit), timeline.version]
    number = f"(delivery {timeline.delivery})" if timeline.delivery else "(no delivery)"
    return " ".join([*filter(None, named), number])


def _stage(stage: Stage, total_ms: float, block: str) -> str:
    result = "" if stage.result == "ok" else stage.result.replace("_", " ")
    what = f"{line(stage.stage):12}{duration(stage.ended_ms):>12}  {_bar(stage, total_ms, block)}"
    return f"    {what}  {line(f'{result} {stage.reporter}')}".rstrip()


def _said(message: str) -> Iterator[str]:
    texts = list(filter(None, map(line, message.splitlines())))
    yield from (f"{'':14}{text[:MESSAGE_CHARACTERS]}" for text in texts[:MESSAGE_LINES])
    if len(texts) > MESSAGE_LINES:
        yield f"{'':14}({len(texts) - MESSAGE_LINES} more lines)"


def _bar(stage: Stage, total_ms: float, block: str) -> str:
    scale = BAR_CHARACTERS / total_ms if total_ms > 0 else 0.0
    start = min(int(stage.started_ms * scale), BAR_CHARACTERS - 1)
    end = min(max(round(stage.ended_ms * scale), start + 1), BAR_CHARACTERS)
    return f"{' ' * start}{block * (end - start)}".ljust(BAR_CHARACTERS)


def _outcome(timeline: Timeline) -> str:
    state = timeline.state
    if state == "running":
        return f"running after {duration(timeline.total_ms)}{_caught(timeline)}"
    last = timeline.stages[-1].stage if timeline.stages else "nothing"
    return f"{state} at {last}: {timeline.next}{_caught(timeline)}"


def _caught(timeline: Timeline) -> str:
    caught = "; only a poll has found it: no delivery announced it, `directcd status` says why"
    return caught if timeline.is_caught else ""
