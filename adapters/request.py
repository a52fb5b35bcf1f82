"""One webhook request as it came, and the names and ids in its headers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from adapters.errors import MalformedDelivery

MAX_NAME_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Request:
    """
    A delivery before anyone has looked at it: all of it is what a stranger wrote.

    Attributes:
        headers: names in any case; an already lower-cased dict is the fast way.
        body: raw.
        query: raw query string, for deliveries by GET.
        received_at: aware; None leaves the age of a signed timestamp unchecked, for recordings.
    """

    headers: Mapping[str, str]
    body: bytes
    query: str = ""
    received_at: datetime | None = None

    def header(self, name: str) -> str:
        """Return the value of the header with this lower-case name, empty when it is missing."""
        value = self.headers.get(name)
        if value is not None:
            return value
        return next((value for key, value in self.headers.items() if key.lower() == name), "")

    def media_type(self) -> str:
        """Return the body's media type in lower case, without parameters; empty when missing."""
        value = self.header("content-type")
        if value == "application/json":
            return value
        return value.partition(";")[0].strip().lower()

    def event_name(self, name: str) -> str:
        """
        Return the provider's name of the event.

        Raises:
            MalformedDelivery: the header is missing, or is no name.
        """
        value = self.header(name)
        if is_name(value):
            return value
        state = "malformed" if value else "missing"
        raise MalformedDelivery(f"Header {name.title()}, the name of the event, is {state}.")

    def delivery_id(self, *names: str) -> str:
        """Return the first of these headers that is fit to be shown; empty when none is."""
        for name in names:
            value = self.header(name)
            if is_name(value):
                return value
        return ""


def is_name(value: str) -> bool:
    """Tell whether a text is short and plain enough for logs and answers."""
    return 0 < len(value) <= MAX_NAME_CHARACTERS and value.isascii() and value.isprintable()
