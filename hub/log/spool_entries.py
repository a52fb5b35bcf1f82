"""What a record of the spool holds: one delivery with its events, for this version and others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from hub.log.values import DeliveryRecord, NewEvent

Entry = tuple[DeliveryRecord, list[NewEvent]]

_ENCODE = msgspec.msgpack.Encoder().encode
_DECODER: msgspec.msgpack.Decoder[Entry] = msgspec.msgpack.Decoder(Entry)


@dataclass(frozen=True, slots=True)
class Decoded:
    """The entries of payloads, the payloads that hold none, and what is wrong with the last."""

    entries: tuple[Entry, ...]
    unreadable: tuple[bytes, ...]
    reason: str


def encoded(delivery: DeliveryRecord, events: Sequence[NewEvent]) -> bytes:
    """The payload of a delivery: its fields by their names, so that versions may differ in them."""
    return _ENCODE((delivery, events))


def decoded(payloads: Sequence[bytes]) -> Decoded:
    """What payloads hold; a field that an older version had not has its default."""
    entries: list[Entry] = []
    unreadable: list[bytes] = []
    reason = ""
    for payload in payloads:
        try:
            entries.append(_DECODER.decode(payload))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            unreadable.append(payload)
            reason = str(error)
    return Decoded(tuple(entries), tuple(unreadable), reason)


def independent(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """
    Entries in their order, in groups that share no ref: each group may be sent at once.

    A ref is in a group only once although the connection keeps the order of what is sent: a server
    that refuses one append (out of memory, say) and takes the next would have turned them round,
    and no repetition mends that. So a busy ref costs a round trip a push; nobody waits for it,
    because deliveries are still taken meanwhile.
    """
    together: list[Entry] = []
    subjects: set[str] = set()
    for entry in entries:
        own = {event.subject for event in entry[1]}
        if not own.isdisjoint(subjects):
            yield together
            together, subjects = [], set()
        together.append(entry)
        subjects |= own
    if together:
        yield together
