"""
What the log takes in and gives back: deliveries, events, and what is remembered beside them.

Frozen, and the same for every engine; what each must do with them says `hub.log.base`.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from secrets import token_hex
from typing import Any
from zlib import crc32

_PROCESS = token_hex(12)
_NUMBERS = count()
_CURSOR = re.compile(r"(\d{1,15})-(\d{1,18})-([0-9a-f]{6})", re.ASCII)


def _nonce() -> str:
    # Unique is enough, nobody has to guess it; and it is wanted for every delivery.
    return f"{_PROCESS}{next(_NUMBERS):x}"


@dataclass(frozen=True, slots=True)
class Cursor:
    """
    A place in one log, as `epoch-position-tag`.

    The epoch is the log's birth in milliseconds (another log is noticed), the position is dense
    (a hole is noticed), and the tag is 24 bits of the event id's CRC (a log rolled back to an
    older state, whose positions were used again, is noticed).
    """

    epoch: int
    position: int
    tag: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.position}-{self.tag:06x}"

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """The cursor a subscriber sent back, or None when no log ever wrote this."""
        match = _CURSOR.fullmatch(text)
        if match is None:
            return None
        return cls(int(match[1]), int(match[2]), int(match[3], 16))


def tag_of(event_id: str) -> int:
    """24 bits that tell two events at the same position apart."""
    return crc32(event_id.encode()) & 0xFFFFFF


@dataclass(frozen=True, slots=True)
class Gap:
    """The log cannot continue from a cursor; whoever held it looks once at every repository."""

    reason: str


@dataclass(frozen=True, slots=True)
class NewEvent:
    """
    One event on its way into the log.

    Attributes:
        event_id: what the event means; a second one with the same id is a repeat.
        delivery_key: the provider's delivery id made unique per ref, or "" when it sent none.
        subject: `<repository key>#<full ref>`, the head this event moves.
        before: the commit the ref had, None when it did not exist.
        after: the commit the ref has now, None when it was deleted or nobody said.
        keys: the repository's keys.
        ref: the full ref.
        trace_id: 32 hex digits that follow the change to the running process.
        tail: the notification's bytes behind its id (see `hub.notification`).
        unsaid: whether nobody said where the ref stands now: whatever comes next is news.
    """

    event_id: str
    delivery_key: str
    subject: str
    before: str | None
    after: str | None
    keys: frozenset[str]
    ref: str
    trace_id: str
    tail: bytes
    unsaid: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """
    One event as the log holds it.

    Attributes:
        cursor: where it stands.
        keys: the repository's keys.
        ref: the full ref.
        message: what every subscriber receives, byte for byte.
        paths: the changed files; None when the list is not known to be complete.
        to: the name of the one subscription it is for; "" for all.
    """

    cursor: Cursor
    keys: frozenset[str]
    ref: str
    message: bytes
    paths: frozenset[str] | None = None
    to: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """
    What is remembered of one webhook POST, to be looked up by a person later.

    `explanation` holds if it is news, `repeat_explanation` if every event of it was a repeat: only
    the log can tell, and what is remembered must be what the sender was told. `signed_by` is the
    place of the secret that verified it and `secret_mark` its mark, "" when nothing was checked.
    `details` is the JSON object of what is shown of one delivery alone (see `hub.keeping`), and
    `payload` what is kept of its text.
    `nonce` is the delivery's own: an append that was perhaps done is known by it when tried again.
    """

    received_at: datetime
    provider: str
    source: str
    delivery_id: str
    event: str
    verdict: str
    explanation: dict[str, Any]
    repeat_explanation: dict[str, Any]
    signed_by: str = ""
    secret_mark: str = ""
    details: bytes = b"{}"
    payload: bytes = b""
    nonce: str = field(default_factory=_nonce)


@dataclass(frozen=True, slots=True)
class SecretUse:
    """
    What is remembered of one secret of a source, for as long as the log exists.

    Attributes:
        source: the source's name.
        mark: stands for the secret, wherever it is written; "" when nothing was checked.
        last_used_at: when it last verified a delivery.
        deliveries: how many it verified, duplicates included.
    """

    source: str
    mark: str
    last_used_at: datetime
    deliveries: int


@dataclass(frozen=True, slots=True)
class Appended:
    """
    What became of one delivery.

    Attributes:
        delivery: the number under which the delivery is remembered.
        cursors: where its events stand, repeats included.
        duplicate: whether every event was a repeat (false when there was none).
        spooled: it is on this hub's own disk, and will be appended when the log is back. Its
            number, its cursors and whether it is a repeat are then not known yet.
    """

    delivery: int
    cursors: tuple[Cursor, ...] = ()
    duplicate: bool = False
    spooled: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """Where a ref stands, as far as the forges have told."""

    subject: str
    after: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StageReport:
    """One stage of the way from push to running process, as somebody on that way reported it."""

    target: str
    stage: str
    result: str
    started_at: datetime
    ended_at: datetime
    trace_id: str
    version: str | None = None
    message: str = ""
    reporter: str = ""
    is_caught: bool = False
    """Of a fetch: whether only a poll has found what changed, because nobody announced it."""
    commits: tuple[tuple[str, str], ...] = ()
    """The repositories that a fetch found changed: name and full hash of each."""
    bounds: tuple[str, ...] = ()
    """Which repositories its sender's token is good for; empty when for all."""


@dataclass(frozen=True, slots=True)
class Origin:
    """
    The push that a trace began with.

    Attributes:
        subject: `<repository key>#<full ref>`.
        commit: what the ref was moved to; None when it was deleted or nobody said.
        received_at: when its delivery had arrived.
        stored_at: when the log took it; None when an earlier version did.
        delivery: the number of that delivery; None when that is not known (any more).
        endpoint: where it was received, as the notification's `source` says.
    """

    subject: str
    commit: str | None
    received_at: datetime
    stored_at: datetime | None = None
    delivery: int | None = None
    endpoint: str = ""

    @property
    def repository(self) -> str:
        """Its key."""
        return self.subject.partition("#")[0].replace("%23", "#")

    @property
    def ref(self) -> str:
        """The full ref."""
        return self.subject.partition("#")[2]


@dataclass(frozen=True, slots=True)
class SubscriptionRow:
    """A subscription as stored: `body` is what the subscriber asked for, untouched."""

    id: str
    name: str
    body: dict[str, Any]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SubscriptionChanges:
    """What other hubs on the same log did to the subscriptions."""

    stored: tuple[SubscriptionRow, ...] = ()
    deleted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do something alone for a while; a later holder has a higher fence."""

    name: str
    owner: str
    fence: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """
    A notification that a callback did not take, for a person to look at and send again.

    Attributes:
        number: its number, 0 until the log has given it one.
        subscription_id: whose callback.
        cursor: where its event stands.
        message: the notification.
        reason: how the last attempt failed.
        buried_at: when it was given up, UTC.
    """

    number: int
    subscription_id: str
    cursor: str
    message: bytes
    reason: str
    buried_at: datetime
