"""What the documentation shows to type or to write exists: commands, options, settings."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from directcd.cli import command as root
from directcd.config import load_rest

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`(directcd [^`]+)`")
_TABLE = re.compile(r"^\[+(hub|server|target|client)\b", re.MULTILINE)
_BEHIND = frozenset({"|", ">", "&&", ";", "--", "2>"})  # what follows is no part of the call


def blocks(page: Path, language: str) -> Iterator[str]:
    """Those of one language."""
    for kind, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == language:
            yield text


def calls(page: Path) -> Iterator[list[str]]:
    """The words behind each `directcd`, in blocks and in sentences."""
    shown = "".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    lines = [one.strip().removeprefix("sudo ").removeprefix(".venv/bin/") for one in shown]
    lines += _INLINE.findall(_BLOCK.sub("", page.read_text(encoding="utf-8")))
    for line in lines:
        if line.startswith("directcd "):
            words = shlex.split(line, comments=True)[1:]
            end = next((at for at, one in enumerate(words) if one in _BEHIND), None)
            yield words[:end]


def unknown(words: list[str]) -> Iterator[str]:
    """What of a call does not exist: a command, or options of the one that is called."""
    command: click.Command = root
    if words[0].startswith("-") and words[0] != "--version":
        words = ["pull", *words]
    for word in words:
        if isinstance(command, click.Group) and word.isalpha() and not word.isupper():
            found = command.get_command(click.Context(command), word)
            if found is None:
                yield word
                return
            command = found
    known = {name for one in command.params for name in one.opts} | {"--help", "--version"}
    given = [word.partition("=")[0] for word in words if re.match("--?[a-z]", word)]
    yield from (option for option in given if option not in known)


def test_what_does_not_exist_is_found() -> None:
    """A command, a command of a group, an option."""
    typed = ["statuss", "builds lst", "up --confg x", "--repo x --outputt y"]
    found = [list(unknown(call.split())) for call in typed]
    assert found == [["statuss"], ["lst"], ["--confg"], ["--outputt"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_exist(page: Path) -> None:
    """And have the options that are shown."""
    assert {" ".join(call): list(unknown(call)) for call in calls(page) if [*unknown(call)]} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_exist(page: Path, tmp_path: Path) -> None:
    """A part of a file lacks something, but has no key that is unknown."""
    for text in filter(_TABLE.search, blocks(page, "toml")):
        (tmp_path / "directcd.toml").write_text(text)
        _, mistakes = load_rest(tmp_path / "directcd.toml")
        assert {where: what for where, what in mistakes.items() if "unknown" in what} == {}
