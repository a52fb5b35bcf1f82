"""What /watch answers: made once for each target's state, and sent to all who wait for it."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Response
from fastapi.responses import JSONResponse

from cd4sources.following import Follower
from cd4sources.keeping.versions import Record
from cd4sources.signing import sign, statement
from cd4sources.stages import Failure

if TYPE_CHECKING:
    from cd4sources.signing import PrivateKey

_HEADER_CHARACTERS = 500
_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class _Offer:
    """A target's state, and the two answers to who does not run its version yet."""

    record: Record
    failure: Failure | None
    whole: Response
    unchanged: Response


class Offers:
    """The answers about all targets; signed when there is a key."""

    def __init__(self, key: "PrivateKey | None") -> None:
        """Begin with none made."""
        self._key = key
        self._made: dict[str, _Offer] = {}

    def whole(self, follower: Follower, record: Record) -> Response:
        """200, with the record."""
        return self._offer(follower, record).whole

    def unchanged(self, follower: Follower, record: Record) -> Response:
        """304, for who has the record."""
        return self._offer(follower, record).unchanged

    def nothing(self, follower: Follower) -> Response:
        """204, with the reason when something is wrong."""
        return Response(status_code=204, headers=_NO_STORE | _last_error(follower.failure))

    def _offer(self, follower: Follower, record: Record) -> _Offer:
        made = self._made.get(record.target)
        if made is None or made.record is not record or made.failure is not follower.failure:
            made = self._made[record.target] = self._make(record, follower.failure)
        return made

    def _make(self, record: Record, failure: Failure | None) -> _Offer:
        tagged = {"ETag": etag(record)} | _last_error(failure)
        whole = JSONResponse(self._document(record), headers=_NO_STORE | tagged)
        return _Offer(record, failure, whole, Response(status_code=304, headers=tagged))

    def _document(self, record: Record) -> object:
        document = record.model_dump(mode="json")
        if self._key is not None:
            made = record.artifact
            facts = statement(record.target, record.version, made.name, made.size, made.sha256)
            document["artifact"]["signature"] = sign(self._key, facts)
        return document


def etag(record: Record) -> str:
    """The entity tag of a version's record."""
    return f'"{record.version}"'


def _last_error(failure: Failure | None) -> dict[str, str]:
    if failure is None:
        return {}
    line = re.sub(r"[^\x20-\x7e]+", " ", failure.message)[:_HEADER_CHARACTERS]
    return {"X-Directcd-Last-Error": line.strip()}
