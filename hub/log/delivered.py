"""What is remembered of a delivery, as every engine gives it back; and which ones are wanted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

Document = dict[str, Any]

STATUS = {"matched": 202, "no-match": 202, "ignored": 202, "ping": 200, "duplicate": 200}
SCANNED = 50_000  # deliveries that a search looks at, newest first


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which deliveries are looked for; what is empty is not asked for.

    Attributes:
        verdict: as explained.
        provider: the forge's kind.
        source: the source's name.
        repository: its primary key.
        q: part of an id, event, repository, ref, commit, or name of a subscription.
        since: received then or later.
    """

    verdict: str = ""
    provider: str = ""
    source: str = ""
    repository: str = ""
    q: str = ""
    since: datetime | None = None

    def takes(self, document: Document) -> bool:
        """Is it one of these?"""
        named = ("verdict", "provider", "source", "repository")
        if any(getattr(self, name) not in {"", document[name]} for name in named):
            return False
        if self.since and datetime.fromisoformat(document["received_at"]) < self.since:
            return False
        return not self.q or self.q.casefold() in _words(document)


ALL = Wanted()


def listed(number: int, stored: Mapping[str, Any]) -> Document:
    """A remembered delivery as lists show it."""
    event = stored["explanation"].get("event") or {}
    return {
        "number": number,
        **stored,
        "status": STATUS.get(stored["verdict"], 200),
        "repository": event.get("repository", ""),
        "ref": event.get("ref", ""),
    }


def whole(document: Document, details: bytes | None) -> Document:
    """The same with what is shown of one alone; older versions kept nothing of that."""
    nothing = {"peer": "", "headers": [], "payload_bytes": 0, "payload_kept_bytes": 0}
    found = msgspec.json.decode(details) if details else {}
    return document | nothing | {"timings": {}, "trace_ids": []} | found


def _words(document: Document) -> str:
    explanation = document["explanation"]
    words = [document[name] for name in ("delivery_id", "event", "repository", "ref")]
    words += explanation.get("matched", ())
    words += [miss["subscription"] for miss in explanation.get("nearest", ())]
    for change in explanation.get("changes", ()):
        words += [change["ref"], change["before"] or "", change["after"] or ""]
    return " ".join(words).casefold()
