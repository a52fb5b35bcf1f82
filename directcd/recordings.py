"""
A recorded delivery, read from files: the request line and headers as text or JSON, the body raw.

A recording is what a person copied from a forge's page or a proxy's log, so line ends, a request
line and blank lines at the end are taken as they come.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from adapters import Request

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_REQUEST_LINE = re.compile(r"(?:> )?(?:[A-Z]+|Request URL:) (\S+)(?: HTTP/[0-9.]+)?")
_LINE_END = re.compile("\r?\n")
# What Gitea's page shows above the headers; HTTP/2's `:method` has an empty name here.
_NO_HEADERS = {"Request URL", "Request method"}
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class RecordingError(Exception):
    """The file of headers is not what it should be; the message says where."""


def recorded_request(headers: bytes, body: bytes, query: str = "") -> Request:
    """
    The request that was recorded; when it was received is not known.

    Args:
        headers: `Name: value` lines, perhaps behind a request line, or a JSON object.
        body: raw.
        query: instead of the one in the request line.

    Raises:
        RecordingError: the headers are neither of the two.
    """
    text = headers.removeprefix(_BYTE_ORDER_MARK).decode("latin-1")  # as servers read them
    text = text.strip("\r\n ")
    if text.startswith("{"):
        return Request(_from_json(text), body, query.removeprefix("?"))
    lines = _LINE_END.split(text)
    first = _REQUEST_LINE.fullmatch(lines[0].strip())
    target = first[1] if first else ""
    fields = dict(_fields(lines[1:] if first else lines, 2 if first else 1))
    return Request(fields, body, query.removeprefix("?") or target.partition("?")[2])


def _fields(lines: Iterable[str], start: int) -> Iterable[tuple[str, str]]:
    for number, line in enumerate(lines, start):
        if line.strip() in {"", ">"}:
            return  # the end of the headers
        name, colon, value = line.removeprefix("> ").partition(":")
        if not name or name in _NO_HEADERS:
            continue
        if not colon or not _NAME.fullmatch(name):
            raise RecordingError(f"headers, line {number}: write one `Name: value` a line")
        yield name.lower(), value.strip(" \t")


def _from_json(text: str) -> dict[str, str]:
    try:
        document: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"headers: neither `Name: value` lines nor JSON: {error}") from None
    for name, value in document.items():
        if not isinstance(value, str):
            raise RecordingError(f"headers: the value of {name!r} is not a text")
    return {name.lower(): value for name, value in document.items()}
