"""JSON Schema in words."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.reference.text import code

Schema = Mapping[str, Any]

_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "null": "null",
}
_FORMATS = {
    "date-time": "time",
    "password": "secret text",
    "path": "path",
    "ipv4network": "network",
    "ipv6network": "network",
}
_ENDLESS = 2**53  # a bound of machines
_UNITS = {"_seconds": "seconds", "_bytes": "bytes", "_days": "days"}


def resolved(schema: Schema, document: Schema) -> Schema:
    """A schema, or the one it refers to."""
    while "$ref" in schema:
        found: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def kind(schema: Schema, document: Schema) -> str:
    """What a value is: `list of text`, `whole number`."""
    schema = resolved(schema, document)
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        kinds = dict.fromkeys(kind(one, document) for one in choices)
        return " or ".join(one for one in kinds if one != "null")
    if "enum" in schema or "const" in schema:
        return " or ".join(code(str(one)) for one in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        items = schema.get("items") or {}
        pair = schema.get("prefixItems")
        return "pair" if pair else _listed(kind(items, document))
    return _FORMATS.get(schema.get("format", ""), _KINDS.get(schema.get("type", ""), "any value"))


def _listed(held: str) -> str:
    return f"list, each {held}" if "`" in held else f"list of {held}s"


def facts(name: str, schema: Schema, document: Schema, *, required: bool) -> str:
    """Kind, unit, bounds and default, in that order."""
    return ", ".join(_facts(name, resolved(schema, document), document, required=required))


def _facts(name: str, schema: Schema, document: Schema, *, required: bool) -> Iterator[str]:
    unit = next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")
    yield kind(schema, document) + (f" of {unit}" if unit else "")
    yield from _bounds(schema)
    default = schema.get("default")
    if required:
        yield "required"
    elif default not in {None, ""} if not isinstance(default, list | dict) else default:
        yield f"default {code(json.dumps(default, ensure_ascii=False))}"


def _bounds(schema: Schema) -> Iterator[str]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if (above := schema.get("exclusiveMinimum")) is not None:
        yield f"more than {above:g}"
    if least is not None:
        yield f"at least {least:,}"
    if most is not None and most < _ENDLESS:
        yield f"at most {most:,g}" if isinstance(most, float) else f"at most {most:,}"
    if number := schema.get("minItems"):
        yield f"at least {number} of them"


def alternatives(schema: Schema) -> list[Schema]:
    """What a value may be, of which one is chosen; itself, when there is no choice."""
    found: list[Schema] = list(schema.get("anyOf") or schema.get("oneOf") or [schema])
    return [one for one in found if one.get("type") != "null"]
