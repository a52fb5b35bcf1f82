"""docs/reference/problem-codes.md, from where problems are made."""

import ast
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adapters import AdapterError
from adapters.errors import BadSignature, UnsupportedContentType
from tests.support.reference.text import bullets, capital, paragraphs, sentence

ROOT = Path(__file__).parents[3]


_PARTS = {"hub": "Hub", "cd4sources": "Server"}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

Made = tuple[int, str, str, str]
"""Status, code, detail and next step."""


@dataclass
class Code:
    """All that is said with one code."""

    statuses: set[int] = field(default_factory=set)
    said: dict[tuple[str, str], None] = field(default_factory=dict)


def text() -> str:
    """What is made of the page."""
    return paragraphs(*(_section(title, codes(name)) for name, title in _PARTS.items()))


def codes(package: str) -> Mapping[str, Code]:
    """What a package answers with, by its code."""
    found: dict[str, Code] = {}
    for status, code, detail, step in [*_made(package), *(_refused() if package == "hub" else ())]:
        one = found.setdefault(code, Code())
        one.statuses.add(status)
        one.said[detail, step] = None
    return dict(sorted(found.items()))


def _section(title: str, found: Mapping[str, Code]) -> str:
    return paragraphs(f"## {title}", *(_entry(code, one) for code, one in found.items()))


def _entry(code: str, one: Code) -> str:
    said = [
        f"{_shown(detail, 'what is wrong')} *Next*: {_shown(step, 'what to do')}"
        for detail, step in one.said
    ]
    statuses = ", ".join(map(str, sorted(one.statuses)))
    return paragraphs(f"### {code}", f"Status {statuses}.", bullets(said))


def _shown(text: str, otherwise: str) -> str:
    """A text, if any of it is known before it happens."""
    return sentence(capital(text)) if re.search("[a-z]", text) else f"(It says {otherwise}.)"


def _refused() -> Iterator[Made]:
    """What adapters refuse deliveries with, in the words of their classes."""
    for kind in AdapterError.__subclasses__():
        status = {BadSignature: 401, UnsupportedContentType: 415}.get(kind, 400)
        yield status, kind.code, str(kind.__doc__).partition("\n")[0], kind.default_next_step


def _made(package: str) -> Iterator[Made]:
    for file in sorted((ROOT / package).rglob("*.py")):
        module = ast.parse(file.read_text(encoding="utf-8"))
        for scope in ast.walk(module):
            if isinstance(scope, (ast.Module, *_FUNCTIONS)):
                yield from _in(scope, _assigned(module, math.inf))


def _in(scope: ast.AST, known: Mapping[str, ast.expr]) -> Iterator[Made]:
    """The problems that a scope itself makes, and not a function in it."""
    for node in _own(scope):
        if isinstance(node, ast.Call) and _makes(node.func):
            names = {**known, **_assigned(scope, node.lineno)}
            match node.args:
                case [ast.Constant(int(status)), ast.Constant(str(code)), detail, step, *_]:
                    yield status, code, _text(detail, names), _text(step, names)


def _makes(function: ast.expr) -> bool:
    """Whether it is `Problem`, or called by the constructor of a special one."""
    is_special = isinstance(function, ast.Attribute) and function.attr == "__init__"
    return is_special or (isinstance(function, ast.Name) and function.id == "Problem")


def _assigned(scope: ast.AST, line: float) -> Mapping[str, ast.expr]:
    """The values of the names that a scope gives one to before a line, also of several at once."""
    found: dict[str, ast.expr] = {}
    for node in _own(scope):
        match node if getattr(node, "lineno", 0) < line else None:
            case ast.Assign([ast.Name(name)], value):
                found[name] = value
            case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)):
                pairs = zip(targets, values, strict=True)
                found |= {one.id: value for one, value in pairs if isinstance(one, ast.Name)}
    return found


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(scope):
        if not isinstance(node, _FUNCTIONS):
            yield node
            yield from _own(node)


def _text(node: ast.expr, names: Mapping[str, ast.expr]) -> str:
    """What a text says; what is only known when it happens is `…`."""
    match node:
        case ast.Constant(value):
            return str(value)
        case ast.JoinedStr(values):
            return "".join(_text(one, names) for one in values)
        case ast.FormattedValue(value) | ast.Subscript(value):
            return _text(value, names)
        case ast.Name(name) if name in names:
            return _text(names[name], {other: one for other, one in names.items() if other != name})
        case ast.IfExp(_, one, other):
            return f"{_text(one, names)}, or {_text(other, names)}"
    return "…"
