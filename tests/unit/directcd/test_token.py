"""`directcd token new`: whose lines are printed."""

import tomllib

import pytest
from click.testing import CliRunner

from directcd.cli.token import command

HINT = "--for hub"


@pytest.mark.parametrize(
    ("words", "table", "hints"),
    [
        (["--scope", "admin"], "server", 1),
        ([], "server", 1),
        (["--scope", "admin", "--for", "hub"], "hub", 0),
        (["--scope", "admin", "--for", "server"], "server", 0),
        (["--scope", "subscribe", "--scope", "admin"], "hub", 0),
    ],
)
def test_whose_token_it_is_is_said_when_both_have_the_scopes(
    words: list[str], table: str, hints: int
) -> None:
    """The lines can be pasted into directcd.toml as they are."""
    done = CliRunner().invoke(command, ["new", *words])
    assert done.exit_code == 0
    assert list(tomllib.loads(done.stderr)) == [table]
    assert done.stderr.count(HINT) == hints


def test_a_scope_that_servers_do_not_have_is_refused_for_them() -> None:
    """With the way out."""
    done = CliRunner().invoke(command, ["new", "--for", "server", "--scope", "report"])
    assert (done.exit_code, HINT in done.stderr) == (2, True)
