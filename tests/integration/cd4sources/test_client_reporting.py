"""Reports reach the hub in order, whatever happens to it, and never hold anyone up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cd4sources import reporting
from cd4sources.http import Http
from cd4sources.hub_api import HubApi
from cd4sources.reporting import Reporter, StageReport, post_over_http
from tests.integration.cd4sources.peers import HubPeer, Request, respond, serving
from tests.support.waiting import eventually


def stage(number: int) -> StageReport:
    now = datetime.now(UTC)
    return StageReport(
        target="shop",
        version=None,
        stage="fetched",
        result="ok",
        started_at=now,
        ended_at=now,
        traceparent=f"00-{'1' * 32}-{'2' * 16}-01",
        message=str(number),
    )


@asynccontextmanager
async def reporting_to(url: str) -> AsyncIterator[Reporter]:
    async with Http() as http, asyncio.TaskGroup() as tasks:
        reporter = Reporter(post_over_http(HubApi(http, url)))
        task = tasks.create_task(reporter.run())
        yield reporter
        task.cancel()


async def test_order_is_kept_across_an_outage() -> None:
    """A report is posted until it arrives; those behind it wait."""
    async with serving(HubPeer()) as hub, reporting_to(hub.url) as reporter:
        hub.report_status = 503
        for number in range(20):
            reporter.report(stage(number))
        await eventually(lambda: len(hub.reports) >= 2)
        assert {one["message"] for one in hub.reports} == {"0"}
        refused = len(hub.reports)
        hub.report_status = 202
        await eventually(lambda: len(hub.reports) >= refused + 20)
        assert [one["message"] for one in hub.reports[-20:]] == [str(one) for one in range(20)]


async def test_a_full_queue_drops_the_oldest_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits and memory is bounded while the hub is away."""
    monkeypatch.setattr(reporting, "MAX_QUEUED_REPORTS", 3)
    async with Http() as http:
        reporter = Reporter(post_over_http(HubApi(http, "http://127.0.0.1:9")))
        for number in range(10):
            reporter.report(stage(number))
        assert reporter.dropped == 7


async def test_a_refused_report_does_not_block_the_others() -> None:
    """A report that the hub calls malformed is dropped, not repeated for ever."""
    async with serving(HubPeer()) as hub, reporting_to(hub.url) as reporter:
        hub.report_status = 422
        reporter.report(stage(0))
        await eventually(lambda: len(hub.reports) == 1)
        hub.report_status = 202
        reporter.report(stage(1))
        await eventually(lambda: [one["message"] for one in hub.reports] == ["0", "1"])


async def test_without_a_hub_reports_are_dropped() -> None:
    """No hub configured: nothing is queued for one."""
    reporter = Reporter(None)
    reporter.report(stage(0))
    assert reporter.dropped == 0


async def test_a_report_without_a_trace_is_not_sent() -> None:
    """The hub could not say which push it belongs to."""
    async with serving(HubPeer()) as hub, reporting_to(hub.url) as reporter:
        reporter.report(replace(stage(0), traceparent=None))
        reporter.report(stage(1))
        await eventually(lambda: hub.reports)
        assert hub.reports[0]["message"] == "1"


class OlderHub(HubPeer):
    """A hub that has never heard of commits, nor of what only a poll has found."""

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Refuse them, as the hub does with keys that it does not know."""
        if b'"caught"' in request.body or b'"commits"' in request.body:
            respond(writer, 400, {"code": "invalid-request", "detail": "body.caught: Extra inputs"})
        else:
            await super().answer(request, writer)


async def test_an_older_hub_is_told_what_it_knows() -> None:
    """Each stage arrives, without what is new."""
    async with serving(OlderHub()) as hub, reporting_to(hub.url) as reporter:
        reporter.report(replace(stage(0), is_caught=True, commits=(("shop", "a" * 40),)))
        reporter.report(stage(1))
        await eventually(lambda: len(hub.reports) == 4)
        told = [one for one in hub.reports if "caught" not in one]
        assert [one["message"] for one in told] == ["0", "1"]
        assert {"commits", "caught"} == hub.reports[0].keys() - told[0].keys()
