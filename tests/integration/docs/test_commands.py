"""Every command of the tutorial and the how-to pages is run by a test, or says why not."""

from pathlib import Path

import pytest

from tests.support.pages.blocks import blocks, count, followed_by
from tests.support.pages.showing import missing

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "docs/tutorial.md", *sorted((ROOT / "docs/how-to").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_are_run_or_say_why_not(page: Path) -> None:
    """See tests/support/pages/blocks.py for the marks."""
    commands = [block for block in blocks(page) if block.kind == "sh"]
    assert len(commands) == count(page), "a block is indented, and nobody reads it"
    assert [block.place for block in commands if not (block.is_run or block.reason)] == []
    if any(block.is_run for block in commands):
        test = followed_by(page)
        assert test, "say below the title which test runs these commands: <!-- followed by … -->"
        assert (ROOT / test).is_file(), test


SHOWN = "A  v-0123456789ab  12 ms  ###\nb … d\n…\nlast"


@pytest.mark.parametrize(
    ("output", "lacks"),
    [
        ("A v-fedcba987654 3.4 s #\nb c d\nother\nlast\n", ""),
        ("first\nA v-fedcba987654 3.4 s #\nbetween\nb d c d\nlast", ""),
        ("b c d\nA v-fedcba987654 3.4 s #\nlast", "b … d"),
        ("A v-1 3.4 s #", "A VERSION DURATION #"),
        ("", "A VERSION DURATION #"),
    ],
)
def test_what_a_page_shows_is_found_in_an_output(output: str, lacks: str) -> None:
    """In its order, with others between, and whatever differs at each run left aside."""
    assert missing(SHOWN, output) == lacks
