"""The trail as OpenTelemetry spans, before a collector that decodes what it is sent."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from hub import exporting
from hub.app import create_app
from tests.support.deliveries import A, push
from tests.support.forgetful import ForgetfulLog
from tests.support.hubs import client_of, hub_client, post, settings

NOW = datetime.now(UTC)


class Collector(HTTPServer):
    """Takes spans over HTTP, or says that it cannot."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Any] = []
        self.status = 200
        self.let_go = threading.Event()
        self.let_go.set()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.server.let_go.wait()
        body = self.rfile.read(int(self.headers["content-length"]))
        request = ExportTraceServiceRequest.FromString(body)
        if self.server.status == 200:
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    self.server.spans += scope.spans
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """One that listens."""
    with Collector() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def report(trace_id: str, stage: str, result: str = "ok", **rest: object) -> dict[str, object]:
    """A stage that took a second."""
    return {
        "target": "shop",
        "stage": stage,
        "result": result,
        "started_at": NOW.isoformat(),
        "ended_at": (NOW + timedelta(seconds=1)).isoformat(),
        "traceparent": f"00-{trace_id}-{'1' * 16}-01",
        **rest,
    }


async def test_every_stage_is_a_span_of_the_pushs_trace(
    tmp_path: Path, collector: Collector
) -> None:
    """Children of its receipt, with their own times; a report that came twice is the same span."""
    async with hub_client(settings(tmp_path, otlp_endpoint=collector.url)) as hub:
        await post(hub, push(A))
        [line] = (await hub.get(f"/v1/traces/{A}")).json()["traces"]
        for _ in range(2):
            await hub.post("/v1/reports", json=report(line["trace_id"], "fetched"))
        failed = report(line["trace_id"], "built", "failed", message="no such field")
        await hub.post("/v1/reports", json=failed)
    spans = {span.name: span for span in collector.spans}
    assert sorted(span.name for span in collector.spans) == ["built", "fetched", "fetched", "push"]
    assert len({span.span_id for span in collector.spans}) == 3
    assert {span.trace_id.hex() for span in collector.spans} == {line["trace_id"]}
    root = spans["push"]
    assert root.parent_span_id == b""
    assert spans["built"].parent_span_id == spans["fetched"].parent_span_id == root.span_id
    fetched = spans["fetched"]
    assert fetched.end_time_unix_nano - fetched.start_time_unix_nano == 1_000_000_000
    assert (spans["built"].status.code, spans["built"].status.message) == (2, "no such field")
    known = {one.key: one.value.string_value for one in root.attributes}
    assert known["vcs.repository.name"] == "github.com/acme/shop"
    assert known["vcs.ref.head.revision"] == A


async def test_a_push_that_the_log_cannot_tell_of_now_is_sent_with_its_next_stage(
    tmp_path: Path, collector: Collector
) -> None:
    """The stage itself is sent at once, and its reporter is told that it is stored."""
    log = ForgetfulLog(tmp_path / "log")
    app = create_app(settings(tmp_path, otlp_endpoint=collector.url), log=log)
    async with app.router.lifespan_context(app), client_of(app) as hub:
        await post(hub, push(A))
        [trace_id] = (await hub.get("/v1/deliveries/1")).json()["trace_ids"]
        answer = await hub.post("/v1/reports", json=report(trace_id, "fetched"))
        assert answer.status_code == 202
        log.is_away = False
        await hub.post("/v1/reports", json=report(trace_id, "built"))
    assert sorted(span.name for span in collector.spans) == ["built", "fetched", "push"]


async def test_a_collector_that_is_away_hurts_nothing(
    tmp_path: Path, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    """Reports are taken, and it is said once."""
    collector.status = 400
    async with hub_client(settings(tmp_path, otlp_endpoint=collector.url)) as hub:
        for stage in ("fetched", "built"):
            answer = await hub.post("/v1/reports", json=report("a" * 32, stage))
            assert answer.status_code == 202
    said = [one.getMessage() for one in caplog.records]
    assert said.count("spans not taken by the collector") == 1


async def test_a_collector_that_hangs_holds_nobody_up(tmp_path: Path, collector: Collector) -> None:
    """The hub ends in its own time, and not when somebody else answers."""
    collector.let_go.clear()
    async with asyncio.timeout(exporting.FLUSH_SECONDS + 10):
        async with hub_client(settings(tmp_path, otlp_endpoint=collector.url)) as hub:
            await hub.post("/v1/reports", json=report("a" * 32, "fetched"))
    collector.let_go.set()
