"""
Server-sent events: bytes in, events out, no I/O.

The format is https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
with two deliberate differences. A block without data is an event too, because the hub moves
cursors with `id:` alone and says goodbye with `event: bye` alone. A comment line is a heartbeat.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_BLOCK_BYTES = 1024 * 1024
"""A notification is under 2 KB; a block that never ends must not fill the memory."""

_FIELDS = frozenset({"data", "event", "id", "retry"})
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventTooLong(ValueError):
    """The stream holds a block longer than an event may be; connect again."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One block of a stream. Absent fields are empty; `retry_milliseconds` None when not given."""

    id: str = ""
    event: str = "message"
    data: str = ""
    retry_milliseconds: int | None = None


HEARTBEAT = ServerSentEvent(event="heartbeat")
"""What a comment line becomes: servers send them to show that they are there."""


class EventParser:
    """Cuts a stream that arrives in arbitrary pieces into its events."""

    def __init__(self) -> None:
        """Begin at the start of a stream."""
        self._started = False
        self._rest = b""
        self._fields: list[tuple[str, str]] = []
        self._block_bytes = 0

    def feed(self, piece: bytes) -> Iterator[ServerSentEvent]:
        """
        Take the next piece of the stream.

        Yields:
            Each event that this piece completes.

        Raises:
            EventTooLong: A block exceeds `MAX_BLOCK_BYTES`.
        """
        for line in self._lines(piece):
            if line.startswith(b":"):
                yield HEARTBEAT
            elif line:
                self._take(line)
            elif self._fields:
                yield self._event()
        if self._block_bytes + len(self._rest) > MAX_BLOCK_BYTES:
            raise EventTooLong(f"a block is longer than {MAX_BLOCK_BYTES} bytes")

    def _lines(self, piece: bytes) -> list[bytes]:
        buffer = self._rest + piece
        if not self._started and len(buffer) >= len(_BYTE_ORDER_MARK):
            buffer = buffer.removeprefix(_BYTE_ORDER_MARK)
            self._started = True
        # A carriage return at the very end may be half of a CRLF: it waits for the next piece.
        held = b"\r" if buffer.endswith(b"\r") else b""
        *lines, rest = _LINE_END.split(buffer.removesuffix(b"\r") if held else buffer)
        self._rest = rest + held
        return lines

    def _take(self, line: bytes) -> None:
        name, _, value = line.decode(errors="replace").partition(":")
        if name in _FIELDS:
            self._block_bytes += len(line)
            self._fields.append((name, value.removeprefix(" ")))

    def _event(self) -> ServerSentEvent:
        fields, self._fields, self._block_bytes = self._fields, [], 0
        last = dict(fields)
        event_id = last.get("id", "")
        return ServerSentEvent(
            id="" if "\0" in event_id else event_id,
            event=last.get("event") or "message",
            data="\n".join(value for name, value in fields if name == "data"),
            retry_milliseconds=_milliseconds(last.get("retry", "")),
        )


def _milliseconds(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
