"""
The trail as OpenTelemetry spans, for whoever has a collector: the extra `directcd[otel]`.

A push's receipt is the root of its trace, each reported stage a child of it with its own times. Ids
of spans are made of what they are about: hubs agree, and a report that came twice is one span.
Attributes: https://opentelemetry.io/docs/specs/semconv/registry/attributes/vcs/ where one fits.
"""

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

from hub.log.base import Log
from hub.log.values import Origin, StageReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.trace import SpanContext

logger = logging.getLogger(__name__)

EXPORT_SECONDS = 5.0  # for one request to the collector
FLUSH_SECONDS = 2.0  # at the end; a collector that is away must not hold us up
QUEUED = 2_048  # spans that wait; more are dropped
REMEMBERED = 1_000  # traces whose root was sent
_FAILURES = frozenset({"failed", "rolled_back", "quarantined"})


class ExtraMissing(Exception):
    """What exports spans is not installed."""


@dataclass(frozen=True)
class _Span:
    """One span, before the library has seen it."""

    trace_id: str
    name: str
    start: datetime
    end: datetime
    attributes: dict[str, str]
    is_root: bool = False
    failure: str = ""
    about: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, report: StageReport) -> "_Span":
        """A reported stage."""
        attributes = {
            "directcd.target": report.target,
            "directcd.result": report.result,
            "directcd.version": report.version or "",
            "directcd.reporter": report.reporter,
        }
        about = (report.reporter, report.stage, report.result, report.started_at.isoformat())
        failure = report.message if report.result in _FAILURES else ""
        name, times = report.stage, (report.started_at, report.ended_at)
        return cls(report.trace_id, name, *times, attributes, failure=failure, about=about)

    def readable(self, resource: "Resource") -> "ReadableSpan":
        """As the library has it."""
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import Status, StatusCode

        status = Status(StatusCode.ERROR, self.failure) if self.failure else Status(StatusCode.OK)
        return ReadableSpan(
            self.name,
            context=self._context(self.id),
            parent=None if self.is_root else self._context(root_id(self.trace_id)),
            resource=resource,
            attributes={name: value for name, value in self.attributes.items() if value},
            status=status,
            start_time=_nanoseconds(self.start),
            end_time=_nanoseconds(self.end),
        )

    @property
    def id(self) -> int:
        """The same for the same stage."""
        if self.is_root:
            return root_id(self.trace_id)
        text = "\n".join((self.trace_id, *self.about)).encode("utf-8", "replace")
        return int.from_bytes(blake2b(text, digest_size=8).digest()) or 1

    def _context(self, span_id: int) -> "SpanContext":
        from opentelemetry.trace import SpanContext, TraceFlags

        sampled = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(int(self.trace_id, 16), span_id, is_remote=False, trace_flags=sampled)


def root_id(trace_id: str) -> int:
    """The id of the span that a trace begins with."""
    return int(trace_id[:16], 16) or 1


def _received(trace_id: str, origin: Origin) -> _Span:
    attributes = {
        "vcs.repository.name": origin.repository,
        "vcs.ref.head.name": origin.ref,
        "vcs.ref.head.revision": origin.commit or "",
        "directcd.delivery": str(origin.delivery or ""),
    }
    end = max(origin.stored_at or origin.received_at, origin.received_at)
    return _Span(trace_id, "push", origin.received_at, end, attributes, is_root=True)


def _nanoseconds(time: datetime) -> int:
    return int(time.timestamp() * 1e6) * 1_000


def _told(sending: "SpanExporter") -> "SpanExporter":
    """An exporter that says when it begins to fail, and when that is over."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Told(SpanExporter):
        is_failing = False

        def export(self, spans: "Sequence[ReadableSpan]") -> "SpanExportResult":
            result = sending.export(spans)
            is_failing = result is not SpanExportResult.SUCCESS
            if is_failing != self.is_failing:
                self.is_failing = is_failing
                how = "spans not taken by the collector" if is_failing else "spans taken again"
                logger.log(logging.WARNING if is_failing else logging.INFO, how)
            return result

        def shutdown(self) -> None:
            sending.shutdown()

    return Told()


class Exporter:
    """Sends spans from a thread of its own; what fails there hurts nothing."""

    def __init__(self, endpoint: str) -> None:
        """
        Args:
            endpoint: the collector's, for OTLP over HTTP, without `/v1/traces`.

        Raises:
            ExtraMissing: `directcd[otel]` is not installed.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            step = "pip install 'directcd[otel]', or remove otlp_endpoint"
            raise ExtraMissing(f"hub.otlp_endpoint needs OpenTelemetry: {step}") from error
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # we say it, and once
        url = f"{endpoint.rstrip('/')}/v1/traces"
        sending = OTLPSpanExporter(endpoint=url, timeout=EXPORT_SECONDS)
        self._resource = Resource.create({"service.name": "directcd"})
        self._processor = BatchSpanProcessor(_told(sending), max_queue_size=QUEUED)
        self._rooted: OrderedDict[str, None] = OrderedDict()

    async def reported(self, log: Log, report: StageReport) -> None:
        """
        Send a stage, and with the first one of a push its receipt.

        Raises:
            LogUnavailable: the log cannot tell now of which push; the next stage asks again.
        """
        self._end(_Span.of(report))
        if report.trace_id in self._rooted:
            return
        origins = await log.origins([report.trace_id])
        self._rooted[report.trace_id] = None
        if len(self._rooted) > REMEMBERED:
            self._rooted.popitem(last=False)
        for origin in origins.values():
            self._end(_received(report.trace_id, origin))

    def close(self) -> None:
        """Send what waits, for two seconds at most; blocks."""
        # The library waits half a minute for a collector that hangs, and takes no other time.
        ending = threading.Thread(target=self._processor.shutdown, daemon=True)
        ending.start()
        ending.join(FLUSH_SECONDS)

    def _end(self, span: "_Span") -> None:
        self._processor.on_end(span.readable(self._resource))
