"""
The words of a command line in one spelling, before click reads them.

The prototype of 2019 was written in Go and took `-o=app` and `-v=true`, which scripts and container
entry points still say; click would read the one as the value "=app" and refuse the other.
Such entry points pass every option, with nothing behind the `=` for those that are not wanted: an
empty value means an option that was not given.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from directcd.pull.errors import BadArguments

_TRUE = frozenset({"true", "t", "1"})
_FALSE = frozenset({"false", "f", "0", ""})
PROGRAM = "the program's arguments stand behind `--`"


@dataclass(frozen=True)
class Spellings:
    """What the options are called, dashes included: those that take a value, and the flags."""

    valued: frozenset[str]
    flags: frozenset[str]


def arranged(words: Sequence[str], spellings: Spellings) -> list[str]:
    """
    The same words as click reads them: value options as two words, flags without a value.

    Everything behind the first `--` is the program's and stays as it is. So does everything from
    an option on that nobody knows: click has the better message.

    Raises:
        BadArguments: A word is neither an option nor an option's value, or a flag neither true nor
            false.
    """
    end = words.index("--") if "--" in words else len(words)
    return [*_options(iter(words[:end]), spellings), "--", *words[end + 1 :]]


def _options(words: Iterator[str], spellings: Spellings) -> Iterator[str]:
    for word in words:
        if not word.startswith("-") or word == "-":
            raise BadArguments(f"{_shown(word)} is no option; {PROGRAM}")
        yield from _option(word, words, spellings)


def _option(word: str, following: Iterator[str], spellings: Spellings) -> list[str]:
    name, equals, value = word.partition("=")
    if name in spellings.flags:
        return [name] if not equals or _is_true(name, value) else []
    if name in spellings.valued:
        return _with_value(name, value if equals else next(following, None))
    if word[:2] in spellings.flags:
        return [word[:2], *_option(f"-{word[2:]}", following, spellings)]
    # Either `-oapp`, or unknown: what follows that could be anything, and click ends there anyway.
    return [word] if word[:2] in spellings.valued else [word, *following]


def _with_value(name: str, value: str | None) -> list[str]:
    if value is None:
        raise BadArguments(f"{name} needs a value")
    return [name, value] if value else []


def _is_true(flag: str, value: str) -> bool:
    if value.lower() not in _TRUE | _FALSE:
        raise BadArguments(f"{flag} is true or false: write {flag}, or leave it out")
    return value.lower() in _TRUE


def _shown(word: str) -> str:
    """Nothing that may hold a password."""
    if not word:
        return "an empty word"
    if re.search("@|://", word):
        return "an address without --repo"
    return f"`{word}`"
