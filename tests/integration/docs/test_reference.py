"""The pages of docs/reference that are made from the code say what the code does."""

import re
from pathlib import Path
from typing import get_args

from cd4sources.reporting import Result, Stage
from cd4sources.wakes import Reason
from tests.support.reference.pages import PLACE, pages

_ROOT = Path(__file__).parents[3]
_PASS_ON = {
    "hub/again.py", "hub/verifying.py",  # what adapters refuse
    "hub/api/problems.py", "cd4sources/problems.py",  # what the framework does
    "cd4sources/http.py",  # what is read of another's
}  # fmt: skip
_OTHERWISE = r"(?<!class )\bProblem\((?!\s*\d{3},\s*\")"


def test_the_pages_are_those_of_the_code() -> None:
    """scripts/fix writes them; every command, setting, path, code and metric is there."""
    wanted = pages(PLACE)
    assert [file.name for file, text in wanted.items() if file.read_text() != text] == []


def test_what_is_written_by_hand_is_kept(tmp_path: Path) -> None:
    """It stands above the mark."""
    for file in pages(PLACE):
        (tmp_path / file.name).write_text(f"# By hand\n\n{file.read_text()}")
    assert all(text.startswith("# By hand\n\n# ") for text in pages(tmp_path).values())


def test_every_word_of_an_event_is_explained() -> None:
    """Of those that `directcd pull --json` has for stages, results and reasons."""
    text = (PLACE / "pull-output.md").read_text()
    words = {*get_args(Stage), *get_args(Result), *get_args(Reason)}
    assert {word for word in words if f"`{word}`" not in text} == set()


def test_no_problem_code_is_left_out() -> None:
    """They are found where they are written as they are, and elsewhere are only passed on."""
    files = [file for part in ("hub", "cd4sources") for file in (_ROOT / part).rglob("*.py")]
    made = {str(file.relative_to(_ROOT)): file.read_text() for file in files}
    hidden = {name for name, text in made.items() if re.search(_OTHERWISE, text)}
    assert hidden == _PASS_ON
