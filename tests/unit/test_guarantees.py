"""What docs/explanation/guarantees.md names is there: every file, and in one of them every test."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "explanation" / "guarantees.md").read_text(encoding="utf-8")
PROMISES = re.split(r"^## (?=G\d+: )", TEXT, flags=re.MULTILINE)[1:]


def test_all_ten_are_there() -> None:
    """In their order."""
    assert [one.partition(":")[0] for one in PROMISES] == [f"G{n}" for n in range(1, 11)]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda one: one.partition(":")[0])
def test_a_promise_is_tested_where_it_says(promise: str) -> None:
    """Its files exist and have the tests that it names; and it says what it does not cover."""
    files = [ROOT / one for one in re.findall(r"`(tests/[\w/]+\.py)`", promise)]
    assert files
    assert [file for file in files if not file.is_file()] == []
    tests = "".join(file.read_text(encoding="utf-8") for file in files)
    names = re.findall(r"`(test_\w+)`", promise)
    assert [name for name in names if f"def {name}(" not in tests] == []
    assert "*Not covered.*" in promise


def test_its_commands_are_there() -> None:
    """Those that measure."""
    for name in re.findall(r"`scripts/bench (\w+)`", TEXT):
        assert (ROOT / "bench" / f"{name}.py").is_file()
