"""
Provider deliveries become plain values here: bytes in, frozen values or own errors out.

One file a provider (each unaware of the others), found by name through the entry point group
`directcd.adapters`. Nothing here does I/O, reads a clock or logs, and no header ever chooses how
a delivery is checked: the caller names the provider. What to do about a delivery (subscribers,
storage, HTTP status codes) belongs to the packages above.
"""

from adapters.delivery import Kind, Outcome, RefChange, RefType, Repository
from adapters.errors import (
    AdapterError,
    BadSignature,
    MalformedDelivery,
    UnknownProvider,
    UnsupportedContentType,
)
from adapters.identity import repository_keys
from adapters.registry import parse, verify
from adapters.request import Request

__all__ = [
    "AdapterError",
    "BadSignature",
    "Kind",
    "MalformedDelivery",
    "Outcome",
    "RefChange",
    "RefType",
    "Repository",
    "Request",
    "UnknownProvider",
    "UnsupportedContentType",
    "parse",
    "repository_keys",
    "verify",
]
