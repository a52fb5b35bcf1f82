"""The wheel, installed alone into an empty environment, as its users get it."""

import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from directcd.demo.world import free_ports
from tests.support.commands import started, terminate

ROOT = Path(__file__).parents[2]
TOP_LEVEL = {"adapters", "cd4sources", "directcd", "hub"}
CONFIG = """
[hub]
listen = "127.0.0.1:{port}"
data = "{data}"
"""


def run(*command: str | Path) -> str:
    """The standard output of a command that succeeds."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of an environment with the runtime lock and the wheel."""
    directory = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory)
    [wheel] = directory.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", directory / "venv")
    python = str(directory / "venv/bin/python")
    pip = ["python3", "-m", "pip", "--python", python, "install", "-qq"]
    run(*pip, "--disable-pip-version-check", "--require-hashes", "-r", "requirements/runtime.txt")
    run(*pip, "--disable-pip-version-check", "--no-deps", wheel)
    return directory / "venv/bin"


@pytest.mark.timeout(180)
def test_the_wheel_holds_our_packages_and_no_other_name(installed: Path) -> None:
    """Two of the names clash with strangers' packages; a third must not slip in."""
    code = (
        "from importlib.metadata import files;"
        "print(*{f.parts[0] for f in files('directcd') if f.suffix == '.py'})"
    )
    assert set(run(installed / "python", "-c", code).split()) == TOP_LEVEL


@pytest.mark.parametrize("alias", ["directcd", "cd4sources", "directdc"])
def test_every_alias_answers(installed: Path, alias: str) -> None:
    """The command under each of its names."""
    assert run(installed / alias, "--version").startswith("directcd ")


def test_the_installed_hub_starts_and_stops(installed: Path, tmp_path: Path) -> None:
    """It serves health, and SIGTERM ends it with 0."""
    [port] = free_ports(1)
    config = tmp_path / "directcd.toml"
    config.write_text(CONFIG.format(port=port, data=tmp_path / "hub"))
    command = [str(installed / "directcd"), "hub", "-c", str(config)]
    with started(command, "listening") as process:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
            assert answer.status == 200
        assert terminate(process) == 0
