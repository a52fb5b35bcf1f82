"""Reading request headers: names in any case, values that anyone may have written."""

from collections.abc import Mapping

from adapters.errors import MalformedDelivery

MAX_NAME_CHARACTERS = 200


def header(headers: Mapping[str, str], name: str) -> str:
    """
    Return a header's value, empty when it is missing.

    Args:
        headers: names in any case; an already lower-cased dict is the fast way.
        name: in lower case.
    """
    value = headers.get(name)
    if value is not None:
        return value
    return next((value for key, value in headers.items() if key.lower() == name), "")


def media_type(headers: Mapping[str, str]) -> str:
    """Return the body's media type in lower case, without parameters; empty when missing."""
    value = header(headers, "content-type")
    if value == "application/json":
        return value
    return value.partition(";")[0].strip().lower()


def event_name(headers: Mapping[str, str], name: str) -> str:
    """
    Return the provider's name of the event.

    Raises:
        MalformedDelivery: the header is missing, or is no name.
    """
    value = header(headers, name)
    if _is_name(value):
        return value
    state = "malformed" if value else "missing"
    raise MalformedDelivery(f"Header {name.title()}, the name of the event, is {state}.")


def delivery_id(headers: Mapping[str, str], name: str) -> str:
    """Return the delivery's id, or nothing when it is missing or not fit to be shown."""
    value = header(headers, name)
    return value if _is_name(value) else ""


def _is_name(value: str) -> bool:
    return 0 < len(value) <= MAX_NAME_CHARACTERS and value.isascii() and value.isprintable()
