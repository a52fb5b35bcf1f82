"""Reports in the process: a witness hears of everything, and can stop nothing."""

import asyncio

import pytest

from cd4sources.http_errors import BadStatus, Problem
from cd4sources.reporting import Reporter, Stage, StageReport
from tests.support.stages import report

TRACE = {"traceparent": "00-1-2-01"}


class Broken:
    """A witness that always fails."""

    def began(self, target: str, stage: Stage, version: str | None) -> None:
        """Fail."""
        raise RuntimeError(target)

    def ended(self, report: StageReport) -> None:
        """Fail."""
        raise RuntimeError(report.target)


async def test_a_witness_that_fails_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The log says so, and the hub hears of it all the same."""
    posted: list[StageReport] = []

    async def post(one: StageReport) -> None:
        posted.append(one)

    reporter = Reporter(post, Broken())
    running = asyncio.create_task(reporter.run())
    reporter.began("shop", "fetched", None)
    reporter.report(report("fetched", **TRACE))
    await reporter.posted(10.0)
    running.cancel()
    assert len(posted) == 1
    assert [one.message for one in caplog.records] == ["cannot tell of a stage"] * 2


async def test_what_is_no_news_stays_in_the_process() -> None:
    """The hub is not told; nothing is left to be posted."""
    posted: list[StageReport] = []

    async def post(one: StageReport) -> None:
        posted.append(one)

    reporter = Reporter(post)
    running = asyncio.create_task(reporter.run())
    reporter.report(report("fetched", **TRACE, is_news=False))
    reporter.report(report("fetched", **TRACE))
    await reporter.posted(10.0)
    running.cancel()
    assert [one.is_news for one in posted] == [True]


async def test_a_hub_that_is_away_is_not_waited_for_for_ever() -> None:
    """What could not be posted in time is left."""
    reporter = Reporter(lambda _: asyncio.sleep(1000))
    running = asyncio.create_task(reporter.run())
    reporter.report(report("fetched", **TRACE))
    await reporter.posted(0.01)
    running.cancel()


async def test_a_report_of_others_repositories_is_dropped() -> None:
    """The hub's token is not for them: what waits behind it must not wait for ever."""
    posted: list[StageReport] = []

    async def post(one: StageReport) -> None:
        if one.stage == "fetched":
            raise BadStatus("http://hub", 403, Problem(code="repository-forbidden"))
        posted.append(one)

    reporter = Reporter(post)
    running = asyncio.create_task(reporter.run())
    reporter.report(report("fetched", **TRACE))
    reporter.report(report("built", **TRACE))
    await reporter.posted(10.0)
    running.cancel()
    assert [one.stage for one in posted] == ["built"]
