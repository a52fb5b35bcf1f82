"""The arithmetic of docs/explanation/scaling.md, worked out again from the numbers it names."""

import ast
import operator
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "scaling.md"
BENCH = Path(__file__).parents[2] / "bench"
OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def rows() -> list[list[str]]:
    """The cells of every row that has a name."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE)
    return [[name, *rest.split(" | ")] for name, rest in found]


ROWS = rows()
GIVEN = {name: float(cells[0]) for name, *cells in ROWS if re.fullmatch(r"[\d.]+", cells[0])}
FORMULAS = {name: (cells[1].strip("`"), cells[2]) for name, *cells in ROWS if name not in GIVEN}
DEFAULTS = [
    (name, match[1])
    for name, *cells in ROWS
    if len(cells) == 2 and (match := re.fullmatch(r"`([\w.]+\.\w+)`", cells[1]))
]


def value(node: ast.expr) -> float:
    """What an expression comes to; names are those of the page."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name):
        return GIVEN[node.id] if node.id in GIVEN else worked_out(node.id)
    assert isinstance(node, ast.BinOp), ast.dump(node)
    return OPERATORS[type(node.op)](value(node.left), value(node.right))


def worked_out(name: str) -> float:
    """The result of a formula."""
    return value(ast.parse(FORMULAS[name][0], mode="eval").body)


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_has_the_result_that_is_shown(name: str) -> None:
    """To as many digits as are shown."""
    shown = FORMULAS[name][1]
    assert f"{worked_out(name):.{len(shown.partition('.')[2])}f}" == shown


def default_of(path: str) -> object:
    """The default of a setting, or a constant."""
    *place, owner, name = path.split(".")
    if not owner.islower():
        return getattr(import_module(".".join(place)), owner).model_fields[name].default
    return getattr(import_module(".".join([*place, owner])), name)


@pytest.mark.parametrize(("name", "path"), DEFAULTS)
def test_a_default_is_that_of_the_code(name: str, path: str) -> None:
    """Whoever changes it meets what follows from it."""
    assert GIVEN[name] == default_of(path)


def test_every_number_is_used_or_was_measured() -> None:
    """None is left behind by a formula that has changed, and each benchmark is there."""
    text = PAGE.read_text(encoding="utf-8")
    used = {name for formula, _ in FORMULAS.values() for name in re.findall(r"\b[a-z]\w+", formula)}
    measured = {name for name, *cells in ROWS if "`scripts/bench " in cells[-1]}
    assert used <= GIVEN.keys() | FORMULAS.keys()
    assert GIVEN.keys() - used - measured == {"most_heads"}
    benches = set(re.findall(r"`scripts/bench (\w+)`", text))
    assert benches
    assert not [one for one in benches if not (BENCH / f"{one}.py").exists()]
