"""Server-sent events are read as the standard says, however the bytes arrive."""

import pytest

from cd4sources.sse import HEARTBEAT, MAX_BLOCK_BYTES, EventParser, EventTooLong, ServerSentEvent


def parsed(*pieces: bytes) -> list[ServerSentEvent]:
    parser = EventParser()
    return [event for piece in pieces for event in parser.feed(piece)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_every_line_end_is_understood(end: bytes) -> None:
    """LF, CRLF and CR end lines."""
    stream = end.join([b"id: 7", b"data: x", b"", b"data: y", b"", b""])
    events = parsed(stream, b":\n")
    assert events[:2] == [ServerSentEvent(id="7", data="x"), ServerSentEvent(data="y")]


def test_the_cut_of_the_pieces_does_not_matter() -> None:
    """Byte by byte gives the same events as all at once."""
    stream = b"\xef\xbb\xbfid: 1\r\nevent: gap\r\ndata: a\r\ndata: b\xc3\xa9\r\n\r\n: ping\r\n\r\n"
    expected = [ServerSentEvent(id="1", event="gap", data="a\nbé"), HEARTBEAT]
    assert parsed(stream) == expected
    assert parsed(*(bytes([byte]) for byte in stream)) == expected


def test_only_line_ends_of_the_standard_split() -> None:
    """Separators that Python's splitlines knows stay inside the data."""
    assert parsed("data: a\u2028b\x0b\x85c\n\n".encode())[0].data == "a\u2028b\x0b\x85c"


def test_a_block_without_data_is_an_event() -> None:
    """The hub moves cursors by `id:` alone."""
    assert parsed(b"id: 5\n\n") == [ServerSentEvent(id="5")]


def test_a_comment_is_a_heartbeat_at_once() -> None:
    """A ping counts even before its block ends."""
    assert parsed(b": ping\n") == [HEARTBEAT]


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("250", 250), ("", None), ("-1", None), ("1e3", None), ("9" * 5000, None), ("²", None)],
    ids=["number", "empty", "negative", "float", "huge", "not ASCII"],
)
def test_only_small_digits_are_a_retry(text: str, milliseconds: int | None) -> None:
    """Anything but ASCII digits is ignored, as the standard says."""
    assert parsed(f"retry: {text}\n\n".encode())[0].retry_milliseconds == milliseconds


def test_an_id_with_nul_is_ignored() -> None:
    """The standard forbids NUL in an id; it would go into a header."""
    assert parsed(b"id: a\0b\ndata: x\n\n") == [ServerSentEvent(data="x")]


def test_unknown_fields_and_broken_bytes_do_no_harm() -> None:
    """What is not known is skipped, what is not UTF-8 is replaced."""
    assert parsed(b"colour: red\nnocolon\ndata:\xff\n\n") == [ServerSentEvent(data="\ufffd")]


@pytest.mark.parametrize("line", [b"x" * 65536, b"data: yyyy\n" * 100], ids=["line", "block"])
def test_an_endless_block_is_refused(line: bytes) -> None:
    """Memory is bounded, whether a line or a block never ends."""
    pieces = [line] * (4 * MAX_BLOCK_BYTES // len(line))
    with pytest.raises(EventTooLong):
        parsed(*pieces)
