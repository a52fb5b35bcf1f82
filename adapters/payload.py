"""From a request to the JSON text it carries, and from that text to a checked struct."""

import binascii
import re
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from adapters.errors import MalformedDelivery, UnsupportedContentType
from adapters.request import Request

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MAX_FORM_FIELDS = 20
PIECE_BYTES = 256 * 1024
# `{},` is 3 bytes here and 72 in memory, `"",` is 60; GitHub's largest push has 10,000 objects.
MAX_OBJECTS = 250_000
MAX_QUOTES = 4_000_000
MAX_MENDED_BYTES = 2 * 1024 * 1024

T = TypeVar("T")

_PAYLOAD = b"payload="

# Half of a character beyond 16 bits, between whole ones and escaped backslashes.
_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\\\|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def json_text(request: Request) -> bytes:
    """
    Return the JSON text of a delivery made by POST.

    Raises:
        UnsupportedContentType: there is a body, and it is neither JSON nor a form.
        MalformedDelivery: there is no text.
    """
    if request.body and request.media_type() not in {JSON, FORM}:
        raise UnsupportedContentType
    return _present(carried_text(request) if request.body else b"", request)


def json_text_also_by_get(request: Request) -> bytes:
    """
    Return the JSON text of a delivery that may also have been made by GET.

    Raises:
        UnsupportedContentType: there is a body, and it is neither JSON nor a form.
        MalformedDelivery: there is no text.
    """
    return json_text(request) if request.body else _present(carried_text(request), request)


def carried_text(request: Request) -> bytes:
    """
    Return the text that the request carries, byte for byte; empty when there is none.

    It is the field `payload` of a form or, without a body, of the query; otherwise the body.
    """
    return b"".join(carried_pieces(request))


def carried_pieces(request: Request) -> "Sequence[bytes] | FormText":
    """Return the same text in pieces, which may be gone through more than once."""
    if not request.body:
        return FormText(request.query.encode("utf-8", "replace"))
    if request.media_type() == FORM:
        return FormText(request.body)
    return (request.body,)


class FormText:
    """
    The field `payload` of a form, decoded piece by piece.

    Providers that sign this text make it necessary to decode what nobody has verified yet: the
    pieces keep 25 MB of it from being in memory several times.
    """

    def __init__(self, form: bytes) -> None:
        self._form = form
        self._start = self._end = 0
        start = 0
        for _ in range(MAX_FORM_FIELDS):
            end = form.find(b"&", start) % (len(form) + 1)  # -1 is the form's end
            if form.startswith(_PAYLOAD, start):
                self._start, self._end = start + len(_PAYLOAD), end
                return
            start = end + 1

    def __iter__(self) -> Iterator[bytes]:
        """Every piece, decoded."""
        position = self._start
        while position < self._end:
            stop = min(position + PIECE_BYTES, self._end)
            if stop < self._end:
                escape = self._form.find(b"%", stop - 2, stop)  # must not be cut in two
                stop = stop if escape < 0 else escape
            yield _unquote(self._form[position:stop])
            position = stop


def decode(decoder: "msgspec.json.Decoder[T]", text: bytes) -> T:
    """
    Read JSON text as a struct.

    Raises:
        MalformedDelivery: no JSON, or not of this shape; names the field, never a value.
    """
    _refuse_countless(text)
    try:
        return decoder.decode(text)
    except (ValueError, RecursionError) as error:
        # Who cuts texts at a number of UTF-16 units writes half characters, in commit messages.
        if len(text) <= MAX_MENDED_BYTES and not isinstance(error, msgspec.ValidationError):
            whole = _LONE_SURROGATE.sub(_replaced, text)
            if whole != text:
                return decode(decoder, whole)
        raise MalformedDelivery(f"The payload does not fit: {error}.") from error


def decode_if_fitting(decoder: "msgspec.json.Decoder[T]", text: bytes) -> T | None:
    """
    Read JSON text as a struct that is not essential; None when it has another shape.

    Forges switch off webhooks that are answered with errors, so an event of no interest must not be
    refused for a field of no interest.

    Raises:
        MalformedDelivery: no JSON, as far as it was read.
    """
    try:
        return decode(decoder, text)
    except MalformedDelivery as error:
        if isinstance(error.__cause__, msgspec.ValidationError):
            return None
        raise


def _refuse_countless(text: bytes) -> None:
    if len(text) > 2 * MAX_OBJECTS and text.count(b"{") > MAX_OBJECTS:
        raise MalformedDelivery(f"The payload has more than {MAX_OBJECTS} objects.")
    if len(text) > MAX_QUOTES and text.count(b'"') > MAX_QUOTES:
        raise MalformedDelivery(f"The payload has more than {MAX_QUOTES // 2} texts.")


def _replaced(found: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if found[1] else found[0]


def _present(text: bytes, request: Request) -> bytes:
    if text:
        return text
    raise MalformedDelivery(
        f"The delivery has no payload; its body has {len(request.body)} bytes.",
        next_step=(
            "Send Content-Type: application/json, or a form with the field payload."
            if request.body
            else "Give the forge this exact address: a redirect on the way drops the body."
        ),
    )


def _unquote(value: bytes) -> bytes:
    # %XX and quoted-printable's =XX differ by one character, and binascii decodes in C. The
    # standard library's unquote makes a list of all escapes: 25 MB of them, from anyone, before
    # any signature is checked, cost it 8.6 s and 2 GB; this way 0.5 s at the worst.
    quoted_printable = value.replace(b"+", b" ").replace(b"=", b"%3D").replace(b"%", b"=")
    return binascii.a2b_qp(quoted_printable)
