"""Deliveries that were refused: kept apart from the others, because anybody can send them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec

_SIZE = re.compile(r"\d+ bytes")
KEEP_REFUSALS = 200  # of each code: who causes many of one kind pushes out no other kind


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    One refused delivery, or several equal ones.

    Attributes:
        at: of the first, UTC.
        last_at: of the last, UTC.
        path: where it was sent.
        provider: by the path.
        source: by the path; both may be nobody's.
        status: of the answer.
        code: of the answer.
        detail: of the answer.
        next: what to do about it; the sender may have been told less.
        peer: the address it came from, of the last.
        headers: of the last, without secrets.
        body_bytes: of the last, as declared when it was not read.
        hints: what the sender is not told.
        count: how many.
    """

    at: datetime
    last_at: datetime
    path: str
    provider: str
    source: str
    status: int
    code: str
    detail: str
    next: str
    peer: str
    headers: Sequence[tuple[str, str]]
    body_bytes: int
    hints: dict[str, str]
    count: int = 1

    @property
    def key(self) -> str:
        """The same for equal ones."""
        what = f"{self.path}\n{self.code}\n{gist(self.detail)}\n{self.next}"
        return blake2b(what.encode("utf-8", "replace"), digest_size=12).hexdigest()

    @property
    def number(self) -> int:
        """By which it is listed: when the last came, in microseconds."""
        return int(self.last_at.timestamp() * 1e6)

    def after(self, earlier: "Refusal") -> "Refusal":
        """This and an equal one before it."""
        return replace(self, at=earlier.at, count=earlier.count + self.count)


def gist(detail: str) -> str:
    """A reason without the size of this one's body, by which it would be like no other."""
    return _SIZE.sub("", detail)


_ENCODE = msgspec.json.Encoder().encode
_DECODER = msgspec.json.Decoder(Refusal)


def encoded(refusal: Refusal) -> bytes:
    """As it is stored."""
    return _ENCODE(refusal)


def decoded(stored: bytes) -> Refusal:
    """
    As it was.

    Raises:
        MsgspecError: no hub wrote these bytes.
    """
    return _DECODER.decode(stored)


def refusal_document(refusal: Refusal) -> dict[str, Any]:
    """As it is shown."""
    shown: dict[str, Any] = msgspec.to_builtins(refusal)
    return {"number": refusal.number, **shown}
