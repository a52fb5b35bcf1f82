"""
Mistakes in a configuration, in plain words, and all of them at once.

Some are only seen when others are gone: what contradicts itself is looked at once its values are
values. So what is wrong is taken out of the document, or put where it was meant, and the rest is
read again.
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pydantic import BaseModel, ValidationError

from directcd.meaning import meant, nearest

Place = tuple[int | str, ...]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_ROUNDS = 5
_MOST = 50  # mistakes a round; nobody mends more at once
_UNKNOWN = "unknown key"
_PLAIN = {
    "missing": "is missing; add it",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be a text in quotes",
    "path_type": "must be a path in quotes",
    "tuple_type": "must be a list, in brackets",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must have at least {min_length} of them",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "ip_v4_network": "must be a network, such as 10.20.0.0/16",
    "ip_v6_network": "must be a network, such as 10.20.0.0/16",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "{pattern}",
    "value_error": "{error}",
}
_PATTERNS = {
    "^[a-z0-9][a-z0-9._-]{0,62}$": "must be lower-case letters, digits, `.`, `_` and `-`, at most "
    "63, and begin with one of the first two",
    "^[A-Za-z0-9._-]{1,100}$": "must be letters, digits, `.`, `_` and `-`: it stands in a URL",
    "^[0-9a-f]{64}$": "must be 64 of 0-9 and a-f, as `directcd token new` prints them",
}


@dataclass(frozen=True)
class Found:
    """
    All mistakes of a document.

    Attributes:
        model: what the rest of the document is; None when that is nothing.
        mistakes: place, as people write it, and what is wrong there.
    """

    model: BaseModel | None
    mistakes: Mapping[str, str] = field(default_factory=dict)


def find(
    kind: type[BaseModel], document: Mapping[str, Any], read: Callable[[Any], BaseModel]
) -> Found:
    """
    Read a document as far as it can be read.

    Args:
        kind: what it should be.
        document: as it was written.
        read: reads one; raises ValidationError.
    """
    rest, mistakes = copy.deepcopy(dict(document)), dict[str, str]()
    for _ in range(_ROUNDS):
        try:
            return Found(read(rest), mistakes)
        except ValidationError as error:
            items = [(_place(rest, one["loc"]), one) for one in islice(_errors(error), _MOST)]
        mistakes |= _new(kind, rest, items, mistakes)
        # From the end: what is taken out of a list moves what stands behind it.
        spoilt = {_spoilt(place, one["type"]): str(one["type"]) for place, one in items}
        ends = sorted(spoilt, key=lambda place: list(map(_order, place)), reverse=True)
        if not sum(_taken_out(kind, rest, place, spoilt[place]) for place in ends):
            break
    return Found(None, mistakes)


def _errors(error: ValidationError) -> Iterator[Mapping[str, Any]]:
    # What is worked out of other values is not wrong when those are.
    return (
        one
        for one in error.errors(include_url=False)
        if one["type"] != "default_factory_not_called"
    )


def written(document: Any, place: Sequence[int | str]) -> str:
    """A place as people write it: `target.shop.repositories[0]`."""
    text = ""
    for step in place:
        inside = _inside(document, step)
        name = inside.get("name") if text == "target" and isinstance(inside, dict) else None
        is_named = isinstance(name, str) and _NAME.fullmatch(name)
        text += f".{name}" if is_named else f"[{step}]" if isinstance(step, int) else f".{step}"
        text, document = text.removeprefix("."), inside
    return text


def _new(
    kind: type[BaseModel],
    document: Any,
    items: Sequence[tuple[Place, Mapping[str, Any]]],
    known: Mapping[str, str],
) -> dict[str, str]:
    """What is wrong, but for what follows from what is known; of a choice, all that may be."""
    found: dict[str, list[str]] = {}
    # From a name that nobody knows nothing follows: its value is where it was meant, or ignored.
    values = [where for where, what in known.items() if not what.startswith(_UNKNOWN)]
    for place, one in items:
        where = written(document, place)
        if not any(is_within(where, other) or is_within(other, where) for other in values):
            found.setdefault(where, []).append(_words(kind, place, one))
    return {
        where: " or ".join(dict.fromkeys(words))
        for where, words in found.items()
        if not any(other != where and is_within(other, where) for other in found)
    }


def _words(kind: type[BaseModel], place: Place, item: Mapping[str, Any]) -> str:
    if item["type"] == "extra_forbidden":
        return f"{_UNKNOWN}{meant(kind, place)}"
    given = item.get("ctx", {}).items()
    context = {name: f"{one:g}" if isinstance(one, float) else one for name, one in given}
    context["pattern"] = _PATTERNS.get(context.get("pattern", ""), "is not written as it must be")
    plain = _PLAIN.get(item["type"])
    if plain:
        return plain.format_map(context)
    return str(item["msg"]).replace("Input should be", "must be").replace("Input is", "is")


def _place(document: Any, place: Place) -> Place:
    """The part of a place that is in the document; behind a value pydantic tells what it tried."""
    for number, step in enumerate(place):
        if step == "[key]" or (number and not isinstance(document, dict | list)):
            return place[:number]
        if (document := _inside(document, step)) is None:
            break
    return place


def _spoilt(place: Place, what: str) -> Place:
    """What cannot be read for a mistake: of what lacks something, all."""
    return place[:-1] if what == "missing" else place


def _taken_out(kind: type[BaseModel], document: Any, place: Place, what: str) -> bool:
    """Whether something was taken out, or put where it was meant."""
    if not place:
        return False
    *way, key = place
    for step in way:
        document = _inside(document, step)
    if _inside(document, key) is None:
        return False
    value = document.pop(key)
    near = nearest(kind, place) if what == "extra_forbidden" else ""
    if near:
        document.setdefault(near, value)
    return True


def _inside(document: Any, step: int | str) -> Any:
    if isinstance(document, list) and isinstance(step, int):
        return document[step] if step < len(document) else None
    return document.get(step) if isinstance(document, dict) else None


def _order(step: int | str) -> tuple[int, str]:
    return (step, "") if isinstance(step, int) else (0, step)


def is_within(where: str, other: str) -> bool:
    """Whether a place, as it is written, is another or inside it."""
    return where == other or where.startswith((f"{other}.", f"{other}["))


def lines(path: object, mistakes: Mapping[str, str]) -> Iterator[str]:
    """One for each."""
    return (f"{path}: {where}: {what}" for where, what in mistakes.items())
