"""The map of docs/explanation/architecture.md is that of the code."""

import re
from collections import defaultdict
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ARCHITECTURE = ROOT / "docs" / "explanation" / "architecture.md"
PACKAGES = ("adapters", "hub", "cd4sources", "directcd")
UNNAMED = {"__init__.py", "__main__.py"}
ALL = "one file"
"""Said of a directory whose modules need not be named."""


def drawn() -> dict[str, str]:
    """What the map says of each directory."""
    text = ARCHITECTURE.read_text(encoding="utf-8")
    [block] = re.findall(r"^```\n(adapters/.*?)^```", text, re.DOTALL | re.MULTILINE)
    found, package, place = defaultdict[str, str](str), "", ""
    for line in block.splitlines():
        if begins := re.match(r"(  )?(\w+)/", line):
            package = package if begins[1] else begins[2]
            place = f"{package}/{begins[2]}" if begins[1] else package
        found[place] += f"{line}\n"
    return found


MAP = drawn()
DIRECTORIES = sorted(
    {str(file.parent.relative_to(ROOT)) for one in PACKAGES for file in (ROOT / one).rglob("*.py")}
)


def names_in(place: str) -> set[str]:
    """The modules that the map names there; some by a pattern."""
    return set(re.findall(r"(?<![\w*/])[\w*]+\.py\b", MAP[place]))


@pytest.mark.parametrize("place", DIRECTORIES)
def test_every_module_stands_in_the_map(place: str) -> None:
    """By its name, by a pattern, or as one of a directory that has one file for each of a kind."""
    named = names_in(place)
    modules = {file.name for file in (ROOT / place).glob("*.py")} - UNNAMED
    lacking = {one for one in modules if not any(fnmatch(one, name) for name in named)}
    assert not modules or MAP[place], f"{ARCHITECTURE.name} has no line for {place}/"
    assert ALL in MAP[place] or lacking == set(), f"name them in {ARCHITECTURE.name}, {place}/"


@pytest.mark.parametrize("place", DIRECTORIES)
def test_the_map_names_nothing_that_is_not_there(place: str) -> None:
    """What was renamed or removed is gone from it, too."""
    modules = {file.name for file in (ROOT / place).glob("*.py")}
    assert not {n for n in names_in(place) if not any(fnmatch(one, n) for one in modules)}
