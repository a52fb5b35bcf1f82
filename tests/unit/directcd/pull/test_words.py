"""A command line's words: every spelling that scripts use, and nothing of the program's touched."""

import click
import pytest

from directcd.cli.pull import command
from directcd.pull.errors import BadArguments


def read(*words: str) -> dict[str, object]:
    """What click makes of the words: the options that were given."""
    context = command.make_context("pull", list(words))
    return {name: value for name, value in context.params.items() if value not in {None, (), False}}


def test_the_prototypes_compose_file_is_understood() -> None:
    """Short options with `=`, a flag with a value, and an option with nothing behind its `=`."""
    line = "--repo=URL -o=out.exe -t=10 -w=tmp -v=true --replace= -- --option1 arg1 arg2"
    assert read(*line.split()) == {
        "repos": ("URL",),
        "output": "out.exe",
        "interval": "10",
        "working_dir": "tmp",
        "verbose": True,
        "args": ("--option1", "arg1", "arg2"),
    }


def test_the_prototypes_scripts_are_understood() -> None:
    """The same with blanks, and several replacements."""
    line = "--repo URL --replace A=B --replace C=D -v -o out.exe -t 10 -w .tmp -- --option1 arg1"
    given = read(*line.split())
    assert given["replacements"] == ("A=B", "C=D")
    assert (given["output"], given["working_dir"]) == ("out.exe", ".tmp")
    assert given["args"] == ("--option1", "arg1")


@pytest.mark.parametrize(
    "words",
    [["-o=a=b"], ["-o", "a=b"], ["-oa=b"], ["--output=a=b"], ["--output", "a=b"], ["-vo=a=b"],
     ["-vo", "a=b"]],
    ids=" ".join,
)  # fmt: skip
def test_a_value_may_hold_an_equals_sign(words: list[str]) -> None:
    """Only the first one is between name and value."""
    assert read(*words)["output"] == "a=b"


@pytest.mark.parametrize("value", ["-o=x", "--once", "-v=false", "-", "a b"])
def test_what_looks_like_an_option_may_be_a_value(value: str) -> None:
    """It is never read as something else, nor rewritten."""
    assert read("--health-cmd", value) == {"health_cmd": value}
    assert read(f"--health-cmd={value}") == {"health_cmd": value}


@pytest.mark.parametrize(
    "words", [["-h"], ["-o=x"], ["--"], ["a", "--", "b"], [""], ["--replace="]], ids=str
)
def test_the_programs_arguments_are_untouched(words: list[str]) -> None:
    """Whatever they look like, and be they empty."""
    assert read("-r", "x", "--", *words) == {"repos": ("x",), "args": tuple(words)}


@pytest.mark.parametrize("words", [["--hub="], ["--hub", ""], ["-o="], ["-o", ""], ["-v="]])
def test_an_empty_value_is_no_option(words: list[str]) -> None:
    """An entry point passes on what may not be set."""
    assert read(*words) == {}


@pytest.mark.parametrize(("word", "is_on"), [("true", True), ("1", True), ("False", False)])
@pytest.mark.parametrize("flag", ["-v", "--verbose", "--once", "--json"])
def test_a_flag_is_true_or_false(flag: str, word: str, *, is_on: bool) -> None:
    """As Go writes it."""
    assert bool(read(f"{flag}={word}")) is is_on


def test_a_flag_is_nothing_else() -> None:
    """Rather than guessed at."""
    with pytest.raises(BadArguments, match="-v is true or false"):
        read("-v=maybe")


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("app", "`app`"),
        ("-", "`-`"),
        ("", "an empty word"),
        ("https://me:s3cr3t@h/x", "an address without --repo"),
    ],
)
def test_a_word_that_is_no_option_is_refused(word: str, shown: str) -> None:
    """Saying where the program's arguments stand, and showing no password."""
    with pytest.raises(BadArguments) as raised:
        read("-r", "x", word)
    assert str(raised.value) == f"{shown} is no option; the program's arguments stand behind `--`"


@pytest.mark.parametrize("words", [["-o"], ["-o", "--", "x"]], ids=str)
def test_an_option_needs_its_value(words: list[str]) -> None:
    """`--` is never one."""
    with pytest.raises(BadArguments, match="-o needs a value"):
        read("-r", "x", *words)


def test_an_unknown_option_is_named_without_what_follows() -> None:
    """A mistyped `--repo` must not show the password."""
    with pytest.raises(click.NoSuchOption) as raised:
        read("--rpo", "https://me:s3cr3t@h/x", "-o=app")
    assert "--rpo" in raised.value.format_message()
    assert "s3cr3t" not in raised.value.format_message()
