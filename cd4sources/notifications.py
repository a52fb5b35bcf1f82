"""
What a hub says has happened: the few fields that tell where to look.

The full form is CloudEvents 1.0, https://github.com/cloudevents/spec; a hub may add to it.
"""

import re
from dataclasses import dataclass

from pydantic import BaseModel, Field, ValidationError


class MalformedNotification(ValueError):
    """A notification is not of the agreed form."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What a hub says has happened, as far as it is needed to know where to look."""

    keys: frozenset[str]
    ref: str
    after: str | None
    traceparent: str | None
    delivery_id: str
    cursor: str
    default_branch: str = ""


class _Repository(BaseModel):
    keys: frozenset[str] = Field(min_length=1)
    default_branch: str = ""


class _Data(BaseModel):
    repository: _Repository
    ref: str
    after: str | None = None
    delivery_id: str = ""


class _CloudEvent(BaseModel):
    id: str
    traceparent: str | None = None
    data: _Data


def parse_notification(text: str) -> Notification:
    """
    Read the JSON of one notification; fields not needed here are ignored.

    Raises:
        MalformedNotification: It is not of the agreed form.
    """
    try:
        event = _CloudEvent.model_validate_json(text)
    except (ValidationError, UnicodeEncodeError) as error:
        raise MalformedNotification("not a notification of the agreed form") from error
    return Notification(
        keys=event.data.repository.keys,
        ref=event.data.ref,
        after=_full_hash(event.data.after),
        traceparent=_valid_traceparent(event.traceparent),
        delivery_id=event.data.delivery_id,
        cursor=event.id,
        default_branch=event.data.repository.default_branch,
    )


def _full_hash(text: str | None) -> str | None:
    """Only a full commit's: git would take other text for names and expressions."""
    return text if text and re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", text) else None


def _valid_traceparent(text: str | None) -> str | None:
    """Only https://www.w3.org/TR/trace-context/#traceparent-header; it goes on to other hosts."""
    known = text and re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", text)
    return text if known else None
