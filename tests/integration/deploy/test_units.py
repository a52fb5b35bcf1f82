"""The units as systemd itself reads and judges them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[3] / "deploy/systemd"
SERVICES = sorted(UNITS.glob("*.service"))
MOST_EXPOSED = 20  # tenths, of systemd-analyze's ten points


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine's root, with the units and a program where they expect it."""
    if shutil.which("systemd-analyze") is None and os.environ.get("CI") != "true":
        pytest.skip("needs systemd-analyze: install the package systemd")
    found = tmp_path_factory.mktemp("root")
    shutil.copytree(UNITS, found / "etc/systemd/system")
    program = found / "opt/directcd/bin/directcd"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    own = Path("/usr/lib/systemd/system")  # of systemd: the targets that the units name
    (found / own.relative_to("/")).parent.mkdir(parents=True)
    shutil.copytree(own, found / own.relative_to("/"), symlinks=True)
    return found


def analyze(root: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Ask systemd-analyze about the units of a root."""
    argv = ["systemd-analyze", f"--root={root}", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_systemd_understands_every_line(root: Path) -> None:
    """A misspelt setting is only warned of, and so never protects anybody."""
    names = [unit.name.replace("@.", "@shop.") for unit in UNITS.iterdir()]
    done = analyze(root, "verify", "--recursive-errors=one", "--man=no", *names)
    about_ours = [line for line in done.stderr.splitlines() if "directcd" in line]
    assert (about_ours, done.returncode) == ([], 0), done.stderr


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_a_service_is_exposed_to_little(root: Path, unit: Path) -> None:
    """As systemd counts it, from 0 to 10: more than 2 is not let in."""
    name = unit.name.replace("@.", "@shop.")
    done = analyze(root, "security", "--offline=true", f"--threshold={MOST_EXPOSED}", name)
    assert done.returncode == 0, done.stdout[-200:]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_a_stop_is_given_more_time_than_it_takes(unit: Path) -> None:
    """Else systemd would cut off what is still answered, built or run."""
    from directcd.serving import DRAIN_SECONDS

    seconds = re.findall(r"^TimeoutStopSec=(\d+)$", unit.read_text(), re.MULTILINE)
    assert [int(one) > DRAIN_SECONDS for one in seconds] == [True]
