"""What is seen to be wrong before anybody is asked."""

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from directcd.cli import command
from directcd.exits import Exit


@pytest.mark.parametrize(
    "words",
    [
        "download -r x -o x --version v/../x",
        "watch -r x --version 1.2.3",
        "versions pin app v-1234",
    ],
)
def test_a_malformed_version_is_wrong_usage(words: str) -> None:
    """Nothing listens there, and it is not noticed."""
    done = CliRunner().invoke(command, [*words.split(), "--server", "http://127.0.0.1:1"])
    assert done.exit_code == Exit.USAGE
    assert "a version is v- and 12 hex digits" in done.stderr


def test_shells_complete_commands_and_options() -> None:
    """Of groups, too."""
    completing = ShellComplete(command, {}, "directcd", "_DIRECTCD_COMPLETE")
    asked = [([], "su"), (["builds"], "l"), (["builds", "list"], "--li")]
    found = [[one.value for one in completing.get_completions(*words)] for words in asked]
    assert found == [["subscriptions"], ["list", "logs"], ["--limit"]]
