"""What a person can mend is said once, and ends the process with a code."""

import pytest

from directcd.errors import ConfigError
from directcd.exits import Exit
from directcd.failures import explained
from directcd.process import StartError


def test_parts_that_fail_of_one_thing_say_it_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A client listens for its program where the hub does: both find the port taken."""
    errors = [StartError("taken"), StartError("taken"), ConfigError("wrong")]
    with pytest.raises(SystemExit) as ended, explained():
        raise ExceptionGroup("parts", errors)
    assert ended.value.code == Exit.USAGE
    assert capsys.readouterr().err == "directcd: taken\ndirectcd: wrong\n"
