"""docs/reference/settings.md, from the schema of directcd.toml."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from directcd.config import PREFIX
from directcd.schema import schema
from tests.support.reference.schemas import Schema, alternatives, facts, resolved
from tests.support.reference.text import capital, code, flat, paragraphs, sentence, table

_IN_A_LIST = "[]"
_FILES = ("_file", "_files")
_NO_SECRETS = ("public_key", "build_max")


@dataclass(frozen=True)
class Table:
    """One table of the file: the way to it, its schema, and what it is."""

    way: tuple[str, ...]
    schema: Schema
    what: str

    @property
    def written(self) -> str:
        """As it stands in the file: `[hub.sources.NAME]`."""
        path = ".".join(step for step in self.way if step != _IN_A_LIST)
        return f"[[{path}]]" if self.way[-1] == _IN_A_LIST else f"[{path}]"

    def name(self, key: str) -> str:
        """A setting of it: `hub.sources.NAME.provider`."""
        return ".".join([*(step for step in self.way if step != _IN_A_LIST), key])

    def variable(self, key: str) -> str:
        """What sets it in the environment; "" when nothing does."""
        if _IN_A_LIST in self.way:
            return ""
        return PREFIX + "__".join([*self.way, key]).upper()


def text() -> str:
    """What is made of the page."""
    document = schema()
    tables = list(_tables((), document, document))[1:]
    return paragraphs(
        _secret_files(tables),
        *(_described(one, document) for one in tables),
    )


def _tables(way: tuple[str, ...], found: Schema, document: Schema) -> Iterator[Table]:
    yield Table(way, found, found.get("description", ""))
    for key, setting in found["properties"].items():
        for further, inner in _inner(setting, document):
            yield from _tables((*way, key, *further), inner, document)


def _inner(setting: Schema, document: Schema) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """The table that a setting is, or those it holds, and the further way to them."""
    for one in alternatives(setting):
        whole = resolved(one, document)
        for further, held in (
            ((), whole),
            ((_IN_A_LIST,), resolved(whole.get("items") or {}, document)),
            (("NAME",), resolved(_values(whole), document)),
        ):
            if "properties" in held:
                yield further, held


def _values(whole: Schema) -> Mapping[str, Any]:
    found = whole.get("additionalProperties") or next(
        iter(whole.get("patternProperties", {}).values()), None
    )
    return found if isinstance(found, dict) else {}


def _secret_files(tables: list[Table]) -> str:
    rows = [
        (code(one.name(key)), flat(_first(setting["description"])))
        for one in tables
        for key, setting in one.schema["properties"].items()
        if key.endswith(_FILES) and not key.startswith(_NO_SECRETS)
    ]
    return table(("setting", "what the file holds"), rows)


def _first(text: str) -> str:
    """Its first sentence."""
    return re.split(r"(?<=[.:;])\s", " ".join(text.split()), maxsplit=1)[0].rstrip(".:;")


def _described(one: Table, document: Schema) -> str:
    required = one.schema.get("required", ())
    return paragraphs(
        f"## {one.written}",
        sentence(one.what),
        *(
            _setting(one, key, setting, document, required=key in required)
            for key, setting in one.schema["properties"].items()
            if not list(_inner(setting, document))
        ),
        _further(one, document),
    )


def _setting(one: Table, key: str, setting: Schema, document: Schema, *, required: bool) -> str:
    variable = one.variable(key)
    about = facts(key, setting, document, required=required)
    return paragraphs(
        f"### {one.name(key)}",
        f"{capital(about)}." + (f" Variable {code(variable)}." if variable else ""),
        sentence(setting["description"]),
    )


def _further(one: Table, document: Schema) -> str:
    """The tables in it, which have a section of their own."""
    inner = [
        f"`{key}`: {sentence(setting['description'])} {_variable(one, key)}".rstrip()
        for key, setting in one.schema["properties"].items()
        if list(_inner(setting, document))
    ]
    return "Tables of their own:\n\n" + "\n".join(f"- {text}" for text in inner) if inner else ""


def _variable(one: Table, key: str) -> str:
    variable = one.variable(key)
    return f"Variable {code(variable)}, as JSON." if variable else ""
