"""What the log and the reports say of passes: one line each, when it is news."""

import logging
from pathlib import Path

import pytest

from cd4sources.reporting import StageReport
from tests.support.serving import BUILD_SH, serving, target_of
from tests.support.sources import Source
from tests.support.waiting import eventually


@pytest.fixture
def source(tmp_path: Path) -> Source:
    source = Source(tmp_path / "app")
    source.commit({"build.sh": BUILD_SH, "words": "one"})
    return source


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="cd4sources.stages")


def of_passes(log: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Level and event of what the log says of passes."""
    return [(one.levelname, one.msg) for one in log.records if one.name == "cd4sources.stages"]


async def test_a_pass_is_one_line_with_all_it_came_to(
    tmp_path: Path, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    """Polls that meet nothing new are none."""
    reports: list[StageReport] = []
    async with serving(tmp_path / "data", target_of("app", source.path), reports=reports) as it:
        caplog.clear()
        commit = source.commit({"words": "two"})
        for _ in range(3):
            follower = await it.look()
        await eventually(lambda: follower.offer.current and len(reports) >= 6)
    assert of_passes(caplog) == [("INFO", "pass")]
    [line] = [one.__dict__ for one in caplog.records if one.msg == "pass"]
    told = (line["target"], line["wake"], line["result"], line["commit"], line["version"])
    current = follower.offer.current
    assert current is not None
    assert told == ("app", "poll", "ok", f"app={commit[:12]}", current.version)
    assert min(line[f"{stage}_ms"] for stage in ("fetched", "built", "published")) >= 0
    assert line["trace_id"] in (reports[-1].traceparent or "")


async def test_the_end_of_a_trouble_is_told(
    tmp_path: Path, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when nothing has changed meanwhile; whoever was told of its beginning would wait."""
    away, reports = tmp_path / "away", list[StageReport]()
    async with serving(tmp_path / "data", target_of("app", source.path), reports=reports) as it:
        caplog.clear()
        source.path.rename(away)
        await it.look()
        away.rename(source.path)
        await eventually(lambda: not it.follower().failure)
        await it.look()
        await eventually(lambda: reports[-1].result == "unchanged")
    assert [one for one in of_passes(caplog) if one[0] != "DEBUG"] == [
        ("WARNING", "pass failed"),
        ("INFO", "pass"),
    ]
    assert [one.result for one in reports[-2:]] == ["failed", "unchanged"]
    assert reports[-1].message.startswith("again, after ")


async def test_a_build_that_rests_is_not_told_at_each_look(
    tmp_path: Path, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing was tried: nor is that a line for those who want to know more."""
    source.commit({"build.sh": "exit 7\n"})
    async with serving(tmp_path / "data", target_of("app", source.path)) as it:
        for _ in range(3):
            await it.look()
    assert of_passes(caplog) == [("WARNING", "pass failed")]
