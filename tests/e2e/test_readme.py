"""The README's configuration, word for word, but for addresses and the repository's URL."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from directcd.demo import files
from directcd.demo.world import fetch, free_ports
from tests.support.commands import started

README = Path(__file__).parents[2] / "README.md"


def readme_config() -> str:
    """The block that users copy."""
    match = re.search(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    assert match is not None
    return match[1]


def repository(directory: Path) -> Path:
    """A repository with a program that listens where it is told."""
    directory.mkdir()
    program = files.program("from the README").replace("sys.argv[1]", "sys.argv[2]")
    (directory / "greeter.py").write_text(program)
    (directory / "build.sh").write_text(files.BUILD)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    for command in (["init", "-qb", "main"], ["add", "."], [*identity, "commit", "-qm", "one"]):
        subprocess.run(["git", *command], cwd=directory, check=True)
    return directory


def test_the_readmes_configuration_delivers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative directories included: `directcd up` builds and runs the program."""
    hub, server, program = free_ports(3)
    changes = {
        "https://git.example.com/acme/shop.git": str(repository(tmp_path / "source")),
        "127.0.0.1:8080": f"127.0.0.1:{hub}",
        "127.0.0.1:8081": f"127.0.0.1:{server}",
        "9000": str(program),
    }
    text = readme_config()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "directcd.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-m", "directcd", "up"]
    with started(command, "version running") as process:
        assert b"from the README" in fetch(f"http://127.0.0.1:{program}/")
        assert {path.name for path in Path("data").iterdir()} == {"client", "hub", "server"}
        process.terminate()
        process.communicate()
