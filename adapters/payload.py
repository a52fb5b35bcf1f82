"""From a request to the JSON text it carries, and from that text to a checked model."""

import binascii
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from adapters.errors import MalformedDelivery, UnsupportedContentType
from adapters.headers import media_type

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MAX_FORM_FIELDS = 20

Model = TypeVar("Model", bound=BaseModel)


def json_text(headers: Mapping[str, str], body: bytes, query: str = "") -> bytes:
    """
    Return the JSON text of a delivery.

    Args:
        headers: of the request, names in any case.
        body: raw, possibly empty.
        query: raw query string, used when the body is empty; empty for providers that never
            deliver by GET.

    Raises:
        UnsupportedContentType: there is a body, and it is neither JSON nor a form.
        MalformedDelivery: there is no text.
    """
    if body and media_type(headers) == JSON:
        return body
    if body and media_type(headers) != FORM:
        raise UnsupportedContentType
    text = carried_text(headers, body, query)
    if not text:
        raise MalformedDelivery(
            f"The delivery has no payload; its body has {len(body)} bytes.",
            next_step="Give the forge this exact address: a redirect on the way drops the body.",
        )
    return text


def carried_text(headers: Mapping[str, str], body: bytes, query: str = "") -> bytes:
    """
    Return the text that the request carries, byte for byte; empty when there is none.

    It is the field `payload` of a form or, without a body, of the query; otherwise the body.
    """
    if not body:
        return _payload_field(query.encode("utf-8", "replace"))
    if media_type(headers) == FORM:
        return _payload_field(body)
    return body


def decode(model: type[Model], text: bytes) -> Model:
    """
    Read JSON text as a model.

    Raises:
        MalformedDelivery: no JSON, or not of this shape; names the field, never a value.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        where = f"field {field}" if field else "JSON"
        raise MalformedDelivery(f"The payload's {where} is wrong: {first['msg']}.") from error


def _payload_field(form: bytes) -> bytes:
    for field in form.split(b"&", MAX_FORM_FIELDS)[:MAX_FORM_FIELDS]:
        name, _, value = field.partition(b"=")
        if name == b"payload":
            return _unquote(value)
    return b""


def _unquote(value: bytes) -> bytes:
    # %XX and quoted-printable's =XX differ by one character, and binascii decodes in C. The
    # standard library's unquote makes a list of all escapes: 25 MB of them, from anyone, before
    # any signature is checked, cost it 8.6 s and 2 GB; this way 0.1 s.
    quoted_printable = value.replace(b"+", b" ").replace(b"=", b"%3D").replace(b"%", b"=")
    return binascii.a2b_qp(quoted_printable)
