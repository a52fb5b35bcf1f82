"""Somebody who follows a page: types its commands, and compares what is shown."""

import os
import re
import sys
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.pages.blocks import Block, blocks
from tests.support.pages.showing import missing
from tests.support.pages.terminal import Terminal
from tests.support.waiting import DEADLINE_SECONDS, PAUSE_SECONDS

ROOT = Path(__file__).parents[3]
WRITTEN = "directcd.toml"  # by a command, with the addresses that a page has
GIT = "[user]\nname = Dev\nemail = dev@example.com\n[advice]\ndetachedHead = false\n"


class Reader:
    """
    Follows pages in a home directory of its own; leaving it ends whatever the commands started.

    Args:
        room: an empty directory.
        changes: whole words of the page, and what stands for them here: ports, addresses.
        environment: beside what every reader has.
    """

    def __init__(
        self, room: Path, changes: Mapping[str, str], environment: Mapping[str, str] | None = None
    ) -> None:
        self.home = room / "home"
        self.home.mkdir()
        (self.home / ".gitconfig").write_text(GIT)
        self._room = room
        self._changes = dict(changes)
        self._environment = plain_environment(self.home) | dict(environment or {})
        self._terminals: dict[int, Terminal] = {}
        self._last = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for terminal in reversed(list(self._terminals.values())):
            terminal.close()

    def change(self, word: str, ours: str) -> None:
        """From now on a word of the page stands for something else here."""
        self._changes[word] = ours

    def follow(self, page: Path) -> None:
        """Do all that a page says, in its order."""
        all_blocks = [block for block in blocks(page) if block.is_run or block.kind == "text"]
        for block, behind in zip(all_blocks, [*all_blocks[1:], None], strict=True):
            if block.kind == "text":
                self._compare(block)
            elif behind and "until shown" in block.marks:
                self._again(block, behind)
            else:
                self.type(block)

    def type(self, block: Block) -> str:
        """Type one block's commands into its terminal; what they have printed."""
        terminal = self._terminal(block.number("terminal") or 1)
        if "runs on" in block.marks:
            terminal.start(self._here(block.text))
        else:
            terminal.run(self._here(block.text), block.number("exits") or 0)
        for file in self.home.rglob(WRITTEN):
            file.write_text(self._here(file.read_text()))
        return terminal.output

    def _again(self, block: Block, shown: Block) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        self.type(block)
        while self._lacks(shown) and time.monotonic() < deadline:
            time.sleep(PAUSE_SECONDS)
            self.type(block)

    def _compare(self, block: Block) -> None:
        """What is shown comes at once, or, in a terminal where something runs on, in a while."""
        self._last = block.number("terminal") or self._last
        deadline = time.monotonic() + (DEADLINE_SECONDS if block.number("terminal") else 0)
        while (lacking := self._lacks(block)) and time.monotonic() < deadline:
            time.sleep(PAUSE_SECONDS)
        output = self._terminals[self._last].output
        assert not lacking, f"{block.place}: {lacking!r} is not shown:\n{output}"

    def _lacks(self, block: Block) -> str:
        output = self._terminals[self._last].output
        return missing(self._here(block.text), self._here(output))

    def _terminal(self, number: int) -> Terminal:
        self._last = number
        if number not in self._terminals:
            room = self._room / f"terminal-{number}"
            self._terminals[number] = Terminal(room, self.home, self._environment)
        return self._terminals[number]

    def _here(self, text: str) -> str:
        words = "|".join(sorted(map(re.escape, self._changes), key=len, reverse=True)) or "(?!)"
        return re.sub(rf"(?<![\w.~])(?:{words})(?!\w)", lambda found: self._changes[found[0]], text)


def plain_environment(home: Path) -> dict[str, str]:
    """A reader's, with this checkout as what is installed; ~/bin may hold what is not there."""
    scripts = sysconfig.get_path("scripts")
    return {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join([f"{home}/bin", scripts, os.environ["PATH"]]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT),
    }


def installing() -> dict[str, str]:
    """What lets a reader's `pip install` take what is installed here: nobody else is asked."""
    return {
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it upside down: there is none
        "PIP_NO_DEPS": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
