"""The form of a JSON document: its members, and what kind of value stands behind each."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

_INDENT = "  "


def form(*values: Any) -> str:
    """Of one document, or what several of one kind have in common, as lines of text."""
    return _shown(_merged(map(_form, values)), "")


def _form(value: Any) -> Any:
    """Objects stay; a list becomes one item that stands for all; the rest becomes words."""
    if isinstance(value, Mapping):
        return {name: _form(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_merged(map(_form, value))] if value else []
    return _words(value)


def _words(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "time" if _is_time(value) else "text"
    return "number"


def _is_time(text: str) -> bool:
    try:
        return "T" in text and bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _merged(forms: Iterable[Any]) -> Any:
    """What all of these are; members that some do not have are there as well."""
    first, *others = forms
    for other in others:
        first = _both(first, other)
    return first


def _both(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {name: _both(one.get(name, form), form) for name, form in other.items()}
    if isinstance(one, list) and isinstance(other, list):
        return [_merged([*one, *other])] if one or other else []
    if other in (one, "null"):
        return one
    return other if one == "null" else f"{one} or {other}"


def _shown(form: Any, indent: str) -> str:
    inner = indent + _INDENT
    if isinstance(form, dict) and form:
        lines = [f"{inner}{json.dumps(name)}: {_shown(one, inner)}" for name, one in form.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(form, list):
        return f"[{_shown(form[0], indent)}, …]" if form else "[]"
    return str(form or "{}")
