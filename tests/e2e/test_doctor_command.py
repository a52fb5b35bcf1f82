"""`directcd doctor` and `config check` from outside."""

import json
import re
from pathlib import Path

import pytest

from tests.e2e.test_command import directcd

STRONG = "5f0c1d9e27ab4c3388e6d1f0a2b94c77"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A client's configuration in which nothing is wrong but that others may read a secret."""
    token = tmp_path / "token"
    token.write_text(STRONG)
    token.chmod(0o644)
    file = tmp_path / "directcd.toml"
    hub = f'[hub]\nlisten = "127.0.0.1:0"\ndata = "{tmp_path}/hub"\n'
    source = f'[hub.sources.main]\nprovider = "generic"\nsecrets_files = ["{token}"]\n'
    file.write_text(hub + source)
    return file


def test_fix_mends_and_says_so(file: Path) -> None:
    """1 while there is a finding, 0 when there is none; what was done is told."""
    found = directcd("doctor", "-c", file)
    assert found.returncode == 1
    assert found.stderr.startswith("0 problems, 1 warning, ")
    fixed = directcd("doctor", "--fix", "-c", file)
    assert fixed.returncode == 0
    assert f"fixed    chmod 600 {file.parent}/token" in fixed.stdout
    assert directcd("doctor", "-c", file).returncode == 0


def test_findings_are_data(file: Path) -> None:
    """Each says how bad, what, where and what next; none shows a secret."""
    done = directcd("doctor", "--json", "-c", file)
    wrong = [one for one in json.loads(done.stdout)["findings"] if one["severity"] != "ok"]
    assert [one["where"] for one in wrong] == [f"{file}:hub.sources.main.secrets_files[0]"]
    assert wrong[0]["next"].startswith("chmod 600")
    assert STRONG not in done.stdout + done.stderr


def test_what_is_fine_is_shown_when_asked_for(file: Path) -> None:
    """By -v."""
    assert "git version" in directcd("doctor", "-v", "-c", file).stdout
    assert "git version" not in directcd("doctor", "-c", file).stdout


def test_a_mistake_in_the_file_is_a_finding(file: Path) -> None:
    """And what needs no configuration is looked at all the same."""
    file.write_text('[hub]\nlisen = "x"')
    done = directcd("doctor", "-v", "-c", file)
    assert done.returncode == 1
    assert 'did you mean "listen"?' in done.stdout
    assert "git version" in done.stdout


def test_config_check_finds_what_needs_no_network(file: Path) -> None:
    """A warning leaves it valid, a problem does not."""
    warned = directcd("config", "check", "-c", file)
    assert (warned.returncode, "other users" in warned.stderr) == (0, True)
    (file.parent / "token").unlink()
    missing = directcd("config", "check", "-c", file)
    assert missing.returncode == 2
    assert re.fullmatch(r"problem: .*token: no such file or directory; .*\n", missing.stderr)
    told = directcd("config", "check", "--json", "-c", file)
    assert (told.returncode, told.stderr) == (2, "")
    document = json.loads(told.stdout)
    assert (document["valid"], "hub" in document["parts"]) == (False, True)
    assert [one["severity"] for one in document["findings"]] == ["problem"]
