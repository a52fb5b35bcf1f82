"""docs/reference/cli.md, from the commands as click knows them."""

import inspect
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import click

from directcd.cli import command as root
from tests.support.reference.text import block, bullets, code, flat, paragraphs, sentence, words

_SHARED = 3  # commands that have it


@dataclass(frozen=True)
class Option:
    """One option: how it is written, and what it means."""

    written: str
    meaning: str
    name: str


@dataclass(frozen=True)
class Command:
    """One command, or a group of some; `help` is its text, a paragraph as one line."""

    name: str
    usage: str
    help: str
    options: Sequence[Option] = field(default=())
    sections: Sequence[tuple[str, Sequence[str]]] = field(default=())


def commands() -> list[Command]:
    """All of them, in the order of their names; a group stands before its own."""
    return list(_below(root, click.Context(root, info_name="directcd")))


def text() -> str:
    """What is made of the page."""
    found = commands()
    shared = _shared(found)
    return paragraphs(
        "## Options of many commands",
        bullets(map(_bullet, shared)),
        *(_described(one, shared) for one in found),
    )


def _shared(found: Sequence[Command]) -> Sequence[Option]:
    """What several commands have; of two options of one name the one that more have."""
    times = Counter(option for one in found for option in one.options)
    by_name = {option.name: option for option, _ in reversed(times.most_common())}
    return [one for one, number in times.items() if number >= _SHARED and by_name[one.name] == one]


def _below(command: click.Command, context: click.Context) -> Iterator[Command]:
    yield _read(command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _below(inner, click.Context(inner, info_name=name, parent=context))


def _read(command: click.Command, context: click.Context) -> Command:
    usage = " ".join(command.collect_usage_pieces(context))
    options = [one for one in command.params if isinstance(one, click.Option)]
    return Command(
        context.command_path,
        f"{context.command_path} {usage}",
        _help(command),
        [_option(one, context) for one in options],
    )


def _help(command: click.Command) -> str:
    text = inspect.cleandoc(command.help or "")
    return "\n\n".join(" ".join(one.split()) for one in text.split("\n\n"))


def _option(option: click.Option, context: click.Context) -> Option:
    [written, meaning] = option.get_help_record(context) or ("", "")
    return Option(written, _meaning(option, meaning, context), option.opts[-1])


def _meaning(option: click.Option, shown: str, context: click.Context) -> str:
    """Its help, and what click puts in brackets behind that."""
    extra = option.get_help_extra(context)
    text = sentence((option.help or shown).split("  [")[0])
    if default := extra.get("default"):
        text += f" Default {code(default)}."
    if bounds := extra.get("range"):
        text += f" Range {code(bounds)}."
    if variables := extra.get("envvars"):
        text += f" Variable {words(variables)}."
    return text + (" Required." if extra.get("required") else "")


def _described(command: Command, shared: Sequence[Option]) -> str:
    own = [one for one in command.options if one not in shared]
    others = [one.name for one in command.options if one in shared]
    depth = "#" * (2 + max(0, command.name.count(" ") - 1))
    return paragraphs(
        f"{depth} {command.name}",
        block(command.usage, "sh"),
        _told(command.help),
        bullets(map(_bullet, own)),
        f"Also {words(others)}: see [above](#options-of-many-commands)." if others else "",
    )


def _told(text: str) -> str:
    """The help; a paragraph that is a command line is shown as one."""
    return paragraphs(*map(_part, text.split("\n\n")))


def _part(part: str) -> str:
    return block(part, "sh") if part.startswith("directcd ") else flat(part)


def _bullet(option: Option) -> str:
    return f"{code(option.written)}: {option.meaning}"
