"""The installed command's demo, as a newcomer runs it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from directcd.demo.story import STAGES

DEMO = [sys.executable, "-m", "directcd", "demo"]


def processes_of(marker: str) -> list[str]:
    """Command lines that mention the marker."""
    lines = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if marker in line:
                lines.append(line)
    return lines


def test_the_demo_delivers_twice_in_under_two_seconds(tmp_path: Path) -> None:
    """Every stage is named, the second program answers, and nothing is left behind."""
    done = subprocess.run(
        [*DEMO, "--json"], capture_output=True, text=True, check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    story = json.loads(done.stdout)
    assert story["running"] is True
    first, second = story["timelines"]
    assert first["answer"] != second["answer"]
    assert set(STAGES) <= {stage["stage"] for stage in second["stages"]}
    running = next(s["ms"] for s in second["stages"] if s["stage"] == "running")
    assert running < 2000
    assert list(tmp_path.iterdir()) == []
    assert processes_of(str(tmp_path)) == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_cleans_up(tmp_path: Path, signum: signal.Signals) -> None:
    """Ctrl-C in the middle leaves no process and no file."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(DEMO, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        while "received" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signum)
        rest = process.stderr.read()
    assert process.returncode != 0
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []
    assert processes_of(str(tmp_path)) == []
