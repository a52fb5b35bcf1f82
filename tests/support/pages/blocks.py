"""
The blocks of a Markdown page, each with the marks above it.

A mark is a comment that readers of the page do not see, on a line of its own right above a block:

- `<!-- not run: REASON -->`: commands that no test runs, and why.
- `<!-- terminal 2 -->`: what is typed, or shown, in another terminal than the first.
- `<!-- runs on -->`: a command that does not end; the page's next commands go elsewhere.
- `<!-- until shown -->`: run again and again, until what follows is shown.
- `<!-- exits 1 -->`: a command that fails, as the page says.

And below the title of a page of which something is run, the test that does:
`<!-- followed by tests/… -->`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCED = re.compile(
    r"(?P<marks>(?:^<!-- [^\n]* -->\n)*)^```(?P<kind>[a-z]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile("<!-- (.*) -->")
_NOT_RUN = "not run:"
_FOLLOWED = re.compile("^<!-- followed by (.*) -->$", re.MULTILINE)
_COMMANDS = re.compile("^ *```sh$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """
    One block of a page.

    Attributes:
        place: `page:line` of its first line of text.
        kind: what stands behind the fence: `sh`, `text`, `toml` …
        text: what is between the fences.
        marks: those above it, without their brackets.
    """

    place: str
    kind: str
    text: str
    marks: tuple[str, ...]

    @property
    def reason(self) -> str:
        """Why it is not run; empty when it is."""
        said = [mark for mark in self.marks if mark.startswith(_NOT_RUN)]
        return said[0].removeprefix(_NOT_RUN).strip() if said else ""

    @property
    def is_run(self) -> bool:
        """Whether it holds commands that are run."""
        return self.kind == "sh" and not any(mark.startswith(_NOT_RUN) for mark in self.marks)

    def number(self, word: str) -> int | None:
        """The number behind a mark's word: `terminal 2`, `exits 1`."""
        found = [mark.split() for mark in self.marks if mark.startswith(f"{word} ")]
        return int(found[0][1]) if found else None


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in its order."""
    text = page.read_text()
    return [
        Block(
            place=f"{page.name}:{text.count(chr(10), 0, found.start('text')) + 1}",
            kind=found["kind"],
            text=found["text"],
            marks=tuple(_MARK.findall(found["marks"])),
        )
        for found in _FENCED.finditer(text)
    ]


def followed_by(page: Path) -> str:
    """The test that runs a page's commands; empty when none does."""
    found = _FOLLOWED.search(page.read_text())
    return found[1] if found else ""


def count(page: Path) -> int:
    """How many blocks of commands a page has, wherever they stand."""
    return len(_COMMANDS.findall(page.read_text()))
