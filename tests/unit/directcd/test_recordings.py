"""Recorded deliveries: every way people keep headers."""

import pytest

from directcd.recordings import RecordingError, recorded_request

WANTED = {"content-type": "application/json", "x-gitea-event": "push"}


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Type: application/json\nX-Gitea-Event: push\n",
        b"Content-Type:application/json\r\nX-Gitea-Event:  push \r\n\r\nnot: a header",
        b"POST /x HTTP/1.1\r\nContent-Type: application/json\r\nX-Gitea-Event: push",
        b'\n{"Content-Type": "application/json", "X-Gitea-Event": "push"}\n',
        b"Request URL: https://h.test/x\nContent-Type: application/json\nX-Gitea-Event: push",
        b"Request method: POST\nContent-Type: application/json\nX-Gitea-Event: push",
        b":method: POST\n:path: /x\ncontent-type: application/json\nx-gitea-event: push",
        b"> POST /x HTTP/1.1\n> Content-Type: application/json\n> X-Gitea-Event: push\n>\n{}",
        b"\xef\xbb\xbfContent-Type: application/json\nX-Gitea-Event: push",
    ],
    ids=[
        "lines",
        "CRLF",
        "request line",
        "JSON",
        "Gitea's page",
        "half of it",
        "HTTP/2",
        "curl",
        "BOM",
    ],
)
def test_headers_are_understood(headers: bytes) -> None:
    """By lower-case name; without a time of receipt."""
    request = recorded_request(headers, b"{}")
    assert (request.headers, request.body, request.received_at) == (WANTED, b"{}", None)


def test_the_request_line_supplies_the_query() -> None:
    """Deliveries by GET have their payload there; what is given by hand wins."""
    line = b"GET /webhooks/gitea/main?payload=%7B%7D HTTP/1.1\nX-Gitea-Event: push"
    assert recorded_request(line, b"").query == "payload=%7B%7D"
    assert recorded_request(line, b"", "?payload=x").query == "payload=x"


def test_a_value_keeps_its_bytes() -> None:
    """As a server would have read them."""
    assert recorded_request(b"X-A: \xe9\x85 ", b"").headers["x-a"] == "\xe9\x85"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (b"X-A: 1\nnonsense", "line 2"),
        (b"POST /x HTTP/1.1\nX A: 1", "line 2"),
        (b"X-A: 1\n X-Gitea-Event: ping", "line 2"),
        (b'{"X-A": ', "JSON"),
        (b'{"X-A": 1}', "X-A"),
    ],
    ids=["no colon", "no name", "folded", "half of JSON", "no text"],
)
def test_what_is_neither_is_named_with_its_place(headers: bytes, message: str) -> None:
    """One sentence for a person."""
    with pytest.raises(RecordingError, match=message):
        recorded_request(headers, b"")
