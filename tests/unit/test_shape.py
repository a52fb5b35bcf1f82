"""What keeps code and stuck processes readable: short functions and files, tasks with names."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("adapters", "hub", "cd4sources", "directcd")
FUNCTION_LINES = 50
FILE_LINES = 400


def files(*below: str) -> list[Path]:
    """Every Python file of these directories."""
    return sorted(file for one in below for file in (ROOT / one).rglob("*.py"))


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """What the packages have of these kinds, with its place."""
    for file in files(*PACKAGES):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, kinds):
                yield f"{file.relative_to(ROOT)}:{node.lineno}", node  # type: ignore[attr-defined]


def test_no_function_is_long() -> None:
    """Its parts have names."""
    found = nodes(ast.FunctionDef, ast.AsyncFunctionDef)
    assert [place for place, one in found if lines(one) > FUNCTION_LINES] == []


def lines(node: ast.AST) -> int:
    """How many it takes, with its docstring."""
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    return (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("below", [*PACKAGES, "tests", "bench", "examples"])
def test_no_file_is_long(below: str) -> None:
    """It is about one thing."""
    texts = {file: file.read_text(encoding="utf-8") for file in files(below)}
    assert [str(file) for file, text in texts.items() if text.count("\n") > FILE_LINES] == []


def test_every_task_has_a_name() -> None:
    """Whoever looks at a process that is stuck sees what it does; `ensure_future` gives none."""
    assert [place for place, one in nodes(ast.Call) if is_nameless(one)] == []


def is_nameless(node: ast.AST) -> bool:
    """Whether a call makes a task without a name."""
    assert isinstance(node, ast.Call)
    called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    names = {keyword.arg for keyword in node.keywords}
    return called == "ensure_future" or (called == "create_task" and "name" not in names)
