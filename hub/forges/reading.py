"""Fields of a forge's JSON, which may lack any of them or have another form."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

MOST_OF_A_PAGE = 1_000  # ten times as much as is asked for
EPOCH = datetime.fromtimestamp(0, UTC)


def objects(page: list[Any]) -> list[Mapping[str, Any]]:
    """Those of a page's entries that are objects."""
    return [one for one in page[:MOST_OF_A_PAGE] if isinstance(one, Mapping)]


def member(document: Any, name: str) -> Any:
    """A field of an object, None when there is none."""
    return document.get(name) if isinstance(document, Mapping) else None


def flag(document: Any, name: str) -> bool:
    """Whether a field is true."""
    return member(document, name) is True


def text(document: Any, name: str) -> str:
    """A text, "" when there is none."""
    value = member(document, name)
    return value if isinstance(value, str) else ""


def number(document: Any, name: str) -> int:
    """A whole number, 0 when there is none."""
    value = member(document, name)
    return value if isinstance(value, int) else 0


def names(document: Any, name: str) -> tuple[str, ...]:
    """A list of texts, sorted; empty when there is none."""
    value = member(document, name)
    return tuple(sorted(map(str, value))) if isinstance(value, list) else ()


def moment(document: Any, name: str) -> datetime:
    """A time, UTC; 1970 when there is none."""
    try:
        found = datetime.fromisoformat(text(document, name))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return EPOCH
