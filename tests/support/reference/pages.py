"""
The pages that are made from the code, by their names.

What stands above the mark is written by hand, and kept.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.support.reference import commands, exit_codes, interfaces, metrics, problems, settings

PLACE = Path(__file__).parents[3] / "docs" / "reference"
MARK = "<!-- From here on written by scripts/fix: change the code that it is made from. -->\n"


def pages(place: Path) -> Mapping[Path, str]:
    """All of them with what they should hold."""
    made = {place / name: text for name, text in _made().items()}
    return {file: f"{_head(file)}{MARK}\n{text}\n" for file, text in made.items()}


def _head(file: Path) -> str:
    return file.read_text(encoding="utf-8").partition(MARK)[0]


@cache
def _made() -> Mapping[str, str]:
    """What is made, by the names of the pages."""
    return {
        "cli.md": commands.text(),
        "exit-codes.md": exit_codes.text(),
        "hub-api.md": interfaces.hub_text(),
        "metrics.md": metrics.text(),
        "problem-codes.md": problems.text(),
        "server-api.md": interfaces.server_text(),
        "settings.md": settings.text(),
    }
