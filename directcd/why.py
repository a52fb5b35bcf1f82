"""A hub's explanation as text for people."""

from collections.abc import Iterator
from datetime import datetime

from pydantic import BaseModel

from directcd.terminal import line


class Miss(BaseModel):
    """A subscription that nearly takes a delivery."""

    subscription: str
    failed: str
    wanted: str
    got: str


class Change(BaseModel):
    """A ref that changed."""

    ref: str
    before: str | None
    after: str | None


class Why(BaseModel):
    """Why a delivery reaches whom it reaches."""

    verdict: str
    reason: str
    matched: tuple[str, ...] = ()
    nearest: tuple[Miss, ...] = ()
    changes: tuple[Change, ...] = ()
    more: int = 0
    next: str = ""

    def rows(self) -> Iterator[tuple[str, str]]:
        """Names and values."""
        yield "verdict", self.verdict
        yield "reason", self.reason
        for change in self.changes:
            yield "change", f"{change.ref} {change.before or 'none'} -> {change.after or 'none'}"
        if self.more:
            yield "", f"and {self.more} more"
        if self.matched:
            yield "matched", ", ".join(self.matched)
        for miss in self.nearest:
            yield "nearest", f"{miss.subscription}: {miss.failed} is {miss.got}, not {miss.wanted}"
        yield "next", self.next


class Listed(BaseModel):
    """A delivery as the hub lists it."""

    number: int
    received_at: datetime
    provider: str
    source: str
    delivery_id: str
    event: str
    verdict: str
    status: int
    signed_by: str = ""
    repository: str
    ref: str
    explanation: Why


class Whole(Listed):
    """The same with how it came."""

    peer: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    payload_bytes: int = 0
    payload_kept_bytes: int = 0
    timings: dict[str, float] = {}
    trace_ids: tuple[str, ...] = ()

    def rows(self) -> Iterator[tuple[str, str]]:
        """Names and values, the explanation first."""
        yield "delivery", f"{self.number} {self.delivery_id}".strip()
        yield "received", self.received_at.isoformat(" ", "milliseconds")
        yield "source", f"{self.provider}/{self.source} from {self.peer or 'nobody'}"
        yield "event", f"{self.event} {self.repository}".strip()
        yield from self.explanation.rows()
        yield "answered", str(self.status)
        if self.signed_by:
            yield "signed by", self.signed_by
        yield "payload", f"{self.payload_bytes} bytes, {self.payload_kept_bytes} of them kept"
        for name, milliseconds in self.timings.items():
            yield name.removesuffix("_ms"), f"{milliseconds} ms"
        for trace_id in self.trace_ids:
            yield "trace", trace_id
        for name, value in self.headers:
            yield "header", f"{name}: {value}"


def text_of(rows: Iterator[tuple[str, str]]) -> str:
    """A table; nothing in it can move a terminal's cursor."""
    return "\n".join(f"{name:12}{line(value)}".rstrip() for name, value in rows)
