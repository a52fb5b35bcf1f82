"""docs/reference/exit-codes.md."""

import re

from directcd.exits import Exit
from tests.support.reference.commands import Command, commands
from tests.support.reference.text import capital, code, paragraphs, sentence, table

_SPOKEN = re.compile(r"[^.]*\b(?:[Ee]xits? with|[Ee]xit codes?)\b.*?\.(?=\s|$)", re.DOTALL)


def text() -> str:
    """What is made of the page."""
    codes = [(str(int(one)), sentence(capital(one.meaning))) for one in Exit]
    rows = [(code(one.name), spoken) for one in commands() if (spoken := _spoken(one))]
    return paragraphs(
        "## All",
        table(("code", "meaning"), codes),
        "## What single commands add",
        table(("command", "exit codes"), rows),
    )


def _spoken(command: Command) -> str:
    """What a command's help says of its exit codes."""
    found = _SPOKEN.findall(command.help)
    return sentence(" ".join(found))
