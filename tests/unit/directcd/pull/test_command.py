"""`directcd pull` and `directcd --repo …` from outside: the same command, and exit code 2."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from cd4sources.settings import ClientSettings
from directcd.cli import command
from directcd.cli.pull import SECTIONS
from directcd.cli.pull import command as pull
from directcd.pull.errors import BadArguments

SHOP = "https://git.example.com/acme/shop.git"


def directcd(*words: str) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    argv = [sys.executable, "-m", "directcd", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)


@pytest.mark.parametrize("first", [[], ["pull"]], ids=["without", "with"])
def test_a_line_that_begins_with_an_option_is_a_pull(first: list[str]) -> None:
    """In the prototype's spelling, too: the complaint is about what `-o` means."""
    done = directcd(*first, f"-r={SHOP}", "-o=bin/app", "--", "-h")
    assert done.returncode == 2
    assert done.stderr.startswith("directcd: --output: a name without a directory, `-o app`")


@pytest.mark.parametrize("words", [["--version"], ["-h"], ["--help"]], ids=str)
def test_the_commands_own_options_stay_its_own(words: list[str]) -> None:
    """`directcd --version` pulls nothing."""
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0
    assert "--repo URL[=URL]" not in done.output


def test_help_begins_with_the_literal_line() -> None:
    """Ready to be copied; the whole reference is the command's own."""
    example = "directcd --repo https://git.example.com/acme/shop.git -o shop\n"
    for words in (["--help"], ["pull", "--help"], ["--repo", SHOP, "-h"]):
        assert example in CliRunner().invoke(command, words).output


def test_every_option_is_in_a_group_of_the_help() -> None:
    """None is forgotten."""
    grouped = [name for names in SECTIONS.values() for name in names]
    assert sorted([*grouped, "args"]) == sorted(str(one.name) for one in pull.params)


def test_the_help_says_the_settings_defaults() -> None:
    """They are written down twice."""
    settings, text = ClientSettings(), CliRunner().invoke(pull, ["--help"]).output
    shown = " ".join(text.split())
    assert f"end. Default {settings.stop_signal}." in shown
    assert f"SIGKILL. Default {settings.stop_timeout_seconds:g}." in shown
    assert f"counts. Default {settings.settle_seconds:g}." in shown


@pytest.mark.parametrize("word", ["https://me:s3cr3t@h/x.git", "me:s3cr3t@h/x.git"])
def test_an_address_alone_is_answered_with_its_option(word: str) -> None:
    """And not repeated: it may hold a password."""
    done = CliRunner().invoke(command, [word])
    assert done.exit_code == 2
    assert "a repository is named by --repo URL" in done.output
    assert "s3cr3t" not in done.output


def test_no_repository_is_a_sentence() -> None:
    """Whatever else is said."""
    done = CliRunner().invoke(command, ["-v", "--", "--repo", SHOP])
    assert isinstance(done.exception, BadArguments)
    assert "write --repo URL" in str(done.exception)
